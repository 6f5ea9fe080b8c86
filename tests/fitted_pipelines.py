"""Small pipelines, each fitted on the dataset of its kind until it is right."""

from types import SimpleNamespace
from typing import NamedTuple

import keras
import numpy as np

from keras_lm import models, text, training
from keras_lm.pipelines import (
    QuestionAnswerer,
    TextClassifier,
    TextEmbedder,
    TokenTagger,
    WordSense,
)
from keras_lm.text.context_windows import context_windows
from keras_lm.text.marked_texts import split_marked
from tests.fakes import random_weights
from tests.text.samples import TOKENIZER

ONE_SHAPE = {"num_buckets": 1, "repeat": True}
TEMPERATURE = 0.1
RIGHT = 0.05  # a loss, nats: what is right is much likelier than all else


def transformer():
    return models.TransformerEncoder(
        TOKENIZER.vocabulary_size, 1, 2, 16, 24, 40, num_segments=2
    )


def lstm():
    return models.LSTMEncoder(
        TOKENIZER.vocabulary_size, 12, 16, num_segments=2, max_sequence_length=40
    )


class UntilRight(keras.callbacks.Callback):
    """Ends a fit when the loss is low, for so the losses of pipelines say more."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = logs["loss"] < RIGHT


def fit(model, dataset, loss):
    """Fits on endless batches of all texts; the loss after that."""
    random_weights(model, seed=1)
    compiled = keras.backend.backend() == "jax"  # by XLA, which TensorFlow waits for
    model.compile(keras.optimizers.Adam(0.02), loss, jit_compile=compiled)
    options = {"epochs": 50, "steps_per_epoch": 5, "shuffle": False, "verbose": 0}
    model.fit(dataset, callbacks=[UntilRight()], **options)
    return model.evaluate(dataset, steps=1, verbose=0)


def log_softmax(logits):
    return logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))


def flat(arrays):
    return np.concatenate([np.ravel(one) for one in arrays]).tolist()


# --------------------------------------------- each pipeline: `fit` and `ask`
# `fit(encoder)` gives `(pipeline, loss)`; `ask(pipeline)` gives `(answers, scores,
# loss)`, the loss that the pipeline's own scores make of the right answers.

NAMES = ["good", "坏", "🙂"]
# The same texts in another order are of another class.
PAIRS = [("area", "width"), ("width", "area"), ("中文", "👩‍👧"), ("👩‍👧", "中文")]
PAIRS += [("", "a square"), ("e\u0301 不", "")]
CLASSES = ["good", "坏", "🙂", "good", "坏", "🙂"]


def fit_classifier(encoder):
    model = models.SequenceClassifier(encoder, len(NAMES))
    dataset = text.classification_dataset(
        PAIRS, CLASSES, TOKENIZER, NAMES, len(PAIRS), pairs=True, **ONE_SHAPE
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = fit(model, dataset, loss)
    return TextClassifier(model, TOKENIZER, NAMES, pairs=True), loss


def ask_classifier(classifier):
    logits = classifier.logits(PAIRS)
    right = [NAMES.index(name) for name in CLASSES]
    shares = log_softmax(logits)[range(len(right)), right]
    return classifier(PAIRS), flat(logits), -shares.mean()


LABELS = ["O", "B-人", "I-人", "B-X", "I-X"]
# The same words have other roles beside another predicate.
SENTENCES = ["Ada saw 🙂 draw 中文"] * 2 + ["分词 的 width", " 👩‍👧  ran "]
PREDICATES = [1, 3, 2, 1]
TAGS = [
    ["B-人", "O", "B-X", "I-X", "I-X"],
    ["O", "O", "B-人", "O", "B-X"],
    ["B-X", "I-X", "O"],
    ["B-人", "O"],
]


def fit_tagger(encoder):
    model = models.TokenClassifier(encoder, len(LABELS))
    dataset = text.tagging_dataset(
        SENTENCES, TAGS, TOKENIZER, LABELS, predicates=PREDICATES, **ONE_SHAPE
    )
    loss = fit(model, dataset, training.MaskedCrossEntropy())
    return TokenTagger(model, TOKENIZER, LABELS, marks_predicate=True), loss


def ask_tagger(tagger):
    given = SENTENCES, PREDICATES
    spans = tagger(*given)
    rows = np.concatenate(tagger.log_probabilities(*given))
    right = [LABELS.index(tag) for row in TAGS for tag in row]
    scores = [[span.score for span in row] for row in spans]
    loss = -rows[range(len(right)), right].mean()
    return tagger.tags(*given), flat([*scores, rows]), loss


CONTEXTS = [
    "Ada saw a width, a square.",
    "在 🙂 旁边，中文 分词",
    "👩‍👧 read. " * 5 + "Ben 走",
]
ANSWERS = {  # of the last context only the last window holds the answer
    ("who?", CONTEXTS[0]): "Ada",
    ("what? 什么", CONTEXTS[0]): "a square",
    ("谁？", CONTEXTS[1]): "中文",
    ("where?", CONTEXTS[1]): None,
    ("who?", CONTEXTS[2]): "Ben 走",
}
WINDOWS = {"max_length": 40, "stride": 12}


def fit_answerer(encoder):
    questions, contexts = zip(*ANSWERS, strict=True)
    answers = [
        answer and (context.index(answer), answer)
        for context, answer in zip(contexts, ANSWERS.values(), strict=True)
    ]
    model = models.SpanExtractor(encoder)
    dataset = text.question_answering_dataset(
        questions, contexts, answers, TOKENIZER, **WINDOWS, **ONE_SHAPE
    )
    loss = fit(model, dataset, training.SpanCrossEntropy())
    return QuestionAnswerer(model, TOKENIZER, **WINDOWS), loss


def ask_answerer(answerer):
    given = list(zip(*ANSWERS, strict=True))
    found, nothing = answerer(*given), answerer.no_answer_scores(*given)
    best = [one.score for (one,) in answerer.n_best(*given, 1)]
    shares = np.where([answer is None for answer in found], nothing, best)
    # A pipeline knows spans that begin before they end, so the right one is likelier
    # than start and end by themselves, over all windows: this loss is at most that.
    windowed = context_windows(TOKENIZER, *given, **WINDOWS)
    num_rows = sum(len(one.windows) for one in windowed)
    loss = -np.log(shares).sum() / (2 * num_rows)
    return [answer and answer.text for answer in found], flat([best, nothing]), loss


MARKED = ["a hut on the [[bank]] of a bank", "a hut on the bank of a [[bank]]"]
MARKED += ["他 [[bank]] 它 🙂", "[[🙂]] 中文", "🙂 [[🙂]]"]
WORDS = [split_marked(one)[1] for one in MARKED]
GLOSSES = {
    "bank": ["land beside a river", "who lends money", "相信"],
    "🙂": ["笑", "a face 👩‍👧"],
}
SENSES = ["who lends money", "land beside a river", "相信", "a face 👩‍👧", "笑"]


def fit_sense(encoder):
    glosses = [
        [right, *(one for one in GLOSSES[word] if one != right)]
        for word, right in zip(WORDS, SENSES, strict=True)
    ]
    model = models.DualEncoder(encoder)
    dataset = text.sense_dataset(MARKED, glosses, TOKENIZER, **ONE_SHAPE)
    loss = fit(model, dataset, training.ContrastiveCrossEntropy(TEMPERATURE))
    return WordSense(model, TOKENIZER), loss


def ask_sense(sense):
    dictionary = SimpleNamespace(
        senses=lambda word, pos: [SimpleNamespace(gloss=one) for one in GLOSSES[word]]
    )
    glosses = [GLOSSES[word] for word in WORDS]
    scores = sense.scores(MARKED, glosses)
    shares = [
        log_softmax(row / TEMPERATURE)[some.index(right)]
        for row, some, right in zip(scores, glosses, SENSES, strict=True)
    ]
    answers = [one.gloss for one in sense(MARKED, dictionary)]
    return answers, flat(scores), -np.mean(shares)


QUERIES = ["how wide?", "多大 🙂？", "who?", "谁？"]
FOUND = ["width", "a square 面积", "Ada 👩‍👧", "中文"]


def fit_embedder(encoder):
    model = models.DualEncoder(encoder)
    dataset = text.contrastive_dataset(
        list(zip(QUERIES, FOUND, strict=True)), TOKENIZER, **ONE_SHAPE
    )
    loss = fit(model, dataset, training.ContrastiveCrossEntropy(TEMPERATURE))
    return TextEmbedder(encoder, TOKENIZER), loss


def ask_embedder(embedder):
    cosines = embedder.similarity(QUERIES, FOUND)
    answers = [FOUND[place] for place in cosines.argmax(axis=-1)]
    shares = log_softmax(cosines / TEMPERATURE).diagonal()
    return answers, flat(embedder([*QUERIES, *FOUND])), -shares.mean()


class Way(NamedTuple):
    """What a pipeline is fitted and asked by, its right answers, and its encoders."""

    fit: object
    ask: object
    right: list
    encoders: tuple  # the second one in `make test-slow`


WAYS = {
    "classifier": Way(fit_classifier, ask_classifier, CLASSES, (lstm, transformer)),
    "tagger": Way(fit_tagger, ask_tagger, TAGS, (transformer, lstm)),
    "answerer": Way(
        fit_answerer, ask_answerer, [*ANSWERS.values()], (transformer, lstm)
    ),
    "sense": Way(fit_sense, ask_sense, SENSES, (lstm, transformer)),
    "embedder": Way(fit_embedder, ask_embedder, FOUND, (transformer, lstm)),
}
