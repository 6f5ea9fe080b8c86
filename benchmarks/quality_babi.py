"""Trains a model to answer questions about stories; prints how often it errs.

    KERAS_BACKEND=torch python -m benchmarks.quality_babi MODEL --data DIR
        [--test] [--epochs N] [--peak N] [--seed N] [--steps N]

bAbI v1.1 in English: 20 tasks, made by a program, each of 1,000 questions to train on
and 1,000 to test. One model learns all tasks together and is not told which one a
question is of: a `SequenceClassifier` of pairs, the question and the sentences of its
story so far, the latest first: where a pair has more than 128 tokens its end goes, the
oldest sentences. A token is a word. Each answer that training has seen is a class,
lists ("milk,football") too.

A tenth of the training stories of each task, all their questions with them, drawn with
seed 0, chooses the epoch: that of the fewest errors. What else is to be chosen is
chosen by it too: only `--test` answers the test part, and keeps what was found.

`MODEL` is `scratch`, a Transformer encoder with rotary positions, or `lstm`, LSTMs of
both directions.

Beside it stand the most frequent answer of each task's training part, and the LSTM of
Weston et al. (2015, https://arxiv.org/abs/1502.05698). What was found is kept in
`.cache/quality/`. `--steps N` trains so many steps twice, says how long all would take
and keeps nothing.
"""

import argparse
import random
import re
import tarfile
from collections import Counter

from benchmarks import quality_classification
from benchmarks import quality_runs as runs

SETTINGS = {
    "scratch": runs.Settings(1e-3, 12, 32, 0.01, 0.1),
    "lstm": runs.Settings(3e-3, 12, 64, 0.01, 0.1),
}
MAX_LENGTH, POOLING = 128, "attention"
SIZES = {
    "scratch": {"num_layers": 3, "num_heads": 4, "hidden_dim": 64},
    "lstm": {"num_layers": 1, "embedding_dim": 64, "hidden_dim": 128},
}
SIZES["scratch"] |= {"intermediate_dim": 256, "positions": "rotary"}
VOCABULARY_SIZE = 1200
# Percent right, tasks 1 to 20.
WESTON = (50, 20, 20, 61, 70, 48, 49, 45, 64, 44, 72, 74, 94, 27, 21, 23, 51, 52, 8, 91)


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_babi")
    parser.add_argument("model", choices=SETTINGS)
    parser.add_argument("--test", action="store_true", help="once, of what was chosen")
    runs.add_options(parser)
    given = runs.parse(parser)
    tasks = read(given.data / "babi" / "tasksv11_en.tar.gz")
    if tasks is None:
        print(f"not run: {given.data} has no stories")
        return
    found = run(given, tasks, runs.settings_of(given, SETTINGS[given.model]))
    print(runs.as_text(found))
    if given.test and given.steps is None:
        runs.keep(f"babi_{given.model}_{found['backend']}_seed{given.seed}", found)


def run(given, tasks, settings):
    """Trains, and answers the validation part, and the test part if it is to.

    Args:
        given: the command line's `model`, `test`, `seed` and `steps`.
        tasks: list of dictionaries by part of lists of `((question, story), answer)`.
        settings: `Settings`.

    Returns:
        dictionary of what was found, for JSON.
    """
    import keras

    from keras_lm import models, pipelines

    keras.utils.set_random_seed(given.seed)
    learned = ("train", "validation")
    parts = {part: [row for task in tasks for row in task[part]] for part in learned}
    names = sorted({answer for rows in parts.values() for _, answer in rows})
    texts = [text for pair, _ in parts["train"] for text in pair]
    sizes = {"num_segments": 2, "pooling": POOLING, "max_sequence_length": MAX_LENGTH}
    sizes = {given.model: {**SIZES[given.model], **sizes}}
    encoder, tokenizer = runs.make_encoder(
        given, texts, sizes, VOCABULARY_SIZE, settings.dropout
    )
    model = models.SequenceClassifier(
        encoder, len(names), settings.dropout, seed=given.seed
    )
    classifier = pipelines.TextClassifier(
        model, tokenizer, names, truncate=True, pairs=True
    )
    print(f"{model.count_params():,} parameters", flush=True)
    fitted = quality_classification.fit(
        classifier, parts, settings, given.seed, given.steps, num_buckets=8
    )
    found = {
        "backend": keras.backend.backend(),
        "parameters": model.count_params(),
        "settings": settings._asdict(),
        **fitted,
        "peak_memory_mb": runs.peak_memory_mb(),
    }
    if given.steps is None:
        measured = ("validation", "test") if given.test else ("validation",)
        found |= {part: scores(classifier, tasks, part) for part in measured}
    return found


def scores(classifier, tasks, part):
    """Errors of the model and of what stands beside it, percent, by task and mean.

    Args:
        classifier: `TextClassifier`.
        tasks: as `run` has them.
        part: "validation" or "test".

    Returns:
        dictionary for JSON; `mistaken` has the most frequent errors of the model as
        `[task, answer, given, count]`.
    """
    errors = {"model": [], "most frequent answer": []}
    mistaken = Counter()
    for number, task in enumerate(tasks, 1):
        pairs, right = zip(*task[part], strict=True)
        known = Counter(answer for _, answer in task["train"] + task["validation"])
        said = {"model": classifier(pairs)}
        said["most frequent answer"] = known.most_common(1)[0][:1] * len(right)
        for name, answers in said.items():
            both = zip(right, answers, strict=True)
            wrong = [(number, *one) for one in both if one[0] != one[1]]
            errors[name].append(round(100 * len(wrong) / len(right), 1))
            mistaken.update(wrong if name == "model" else ())
    errors["LSTM of Weston et al."] = [100 - right for right in WESTON]
    return {
        "mean_error": {name: round(sum(some) / 20, 1) for name, some in errors.items()},
        "error_by_task": errors,
        "mistaken": [[*one, count] for one, count in mistaken.most_common(30)],
    }


# --------------------------------------------------------------------- the data


def read(archive):
    """The 20 tasks, each a dictionary by part of `((question, story), answer)`."""
    if not archive.exists():
        return None
    found = {}
    with tarfile.open(archive) as files:
        for name in files.getnames():
            if match := re.search(r"/en/qa(\d+)_.*_(train|test)\.txt$", name):
                content = files.extractfile(name).read().decode("utf-8")
                found[int(match[1]), match[2]] = content
    return [parts_of(found[n, "train"], found[n, "test"]) for n in range(1, 21)]


def parts_of(train, test):
    """Parts of a task, a tenth of the training stories for validation."""
    told = stories(train)
    drawn = set(random.Random(0).sample(range(len(told)), len(told) // 10))  # noqa: S311
    parts = {"train": [], "validation": []}
    for place, questions in enumerate(told):
        parts["validation" if place in drawn else "train"] += questions
    return {**parts, "test": [row for questions in stories(test) for row in questions]}


def stories(content):
    """For each story the list of its `((question, story so far), answer)`.

    A line has a number, 1 where a story begins, and a sentence; or a question, its
    answer and the numbers of the sentences that tell it, which are not looked at.
    """
    found = []
    for line in content.splitlines():
        number, rest = line.split(" ", 1)
        if number == "1":
            sentences = []
            found.append([])
        if "\t" in rest:
            question, answer, _ = rest.split("\t")
            found[-1].append(((words(question), "".join(sentences[::-1])), answer))
        else:
            sentences.append(words(rest))
    return found


def words(sentence):
    """In lower case, a space before each word and sign, so that each is a token."""
    return "".join(f" {one}" for one in re.findall(r"\w+|[^\w\s]", sentence.lower()))


if __name__ == "__main__":
    main()
