"""A small classifier, and what several tests of fine-tuning fit it on."""

import keras
import numpy as np

from keras_lm.models import SequenceClassifier, TransformerEncoder
from tests.fakes import random_weights

SIZES = {
    "vocabulary_size": 11,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 6,
    "intermediate_dim": 7,
    "max_sequence_length": 5,
}
rng = np.random.default_rng(seed=0)
INPUTS = {
    "token_ids": rng.integers(0, 11, size=(4, 5), dtype="int32"),
    "padding_mask": np.array([[True] * 5, [True] * 3 + [False] * 2] * 2),
}
LABELS = np.array([0, 2, 1, 0], "int32")
# On TensorFlow a graph is made sooner than XLA compiles it.
JAX = keras.backend.backend() == "jax"
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def make_classifier(dtype=None, **changes):
    """Three classes; no dropout; all weights are random and no two models differ."""
    encoder = TransformerEncoder(**{**SIZES, **changes}, dtype=dtype)
    model = SequenceClassifier(encoder, 3, dropout=0.0, dtype=dtype)
    random_weights(model, seed=1)
    return model


def fit(model, optimizer, jit_compile=JAX, **options):
    """One step an epoch, unless `options` say otherwise; what `fit` gives."""
    model.compile(optimizer, LOSS, jit_compile=jit_compile)
    options = {"batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(INPUTS, LABELS, **options)


def values(model):
    """`{path: array}` of all weights."""
    return {w.path: np.array(keras.ops.convert_to_numpy(w)) for w in model.weights}


def moved(before, model):
    """The paths of the weights that are not exactly what they were."""
    after = values(model)
    return {path for path in before if np.any(after[path] != before[path])}
