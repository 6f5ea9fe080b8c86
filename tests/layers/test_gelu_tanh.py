"""gelu_tanh: its formula, how near it is, and that a saved model knows it."""

import math

import keras
import numpy as np
from keras import ops

from keras_lm.layers import FeedForward, gelu_tanh
from tests.checks import assert_close

X = np.linspace(-4, 4, 41).astype("float32")


def test_it_is_near_the_exact_one_and_another():
    exact = [x * (1 + math.erf(x / 2**0.5)) / 2 for x in X.tolist()]

    found = ops.convert_to_numpy(gelu_tanh(ops.convert_to_tensor(X)))

    by_hand = 0.5 * X * (1 + np.tanh((2 / np.pi) ** 0.5 * (X + 0.044715 * X**3)))
    assert_close(found, by_hand)
    assert 1e-4 < np.abs(found - exact).max() < 5e-4


def test_a_saved_layer_knows_it():
    layer = FeedForward(5, gelu_tanh)

    copy = FeedForward.from_config(layer.get_config())

    assert copy.activation is gelu_tanh
    assert keras.activations.get(keras.activations.serialize(gelu_tanh)) is gelu_tanh
