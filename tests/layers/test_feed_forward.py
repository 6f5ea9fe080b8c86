"""FeedForward: its contract, its formula, its dropout, its errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import FeedForward
from tests import make_cross_backend, reference
from tests.checks import assert_close, check_layer

INPUTS = np.random.default_rng(seed=0).normal(size=(2, 5, 7)).astype("float32")


@pytest.mark.parametrize("gated", [False, True])
def test_layer_contract(gated):
    check_layer(
        FeedForward(11, gated=gated), {"inputs": INPUTS}, output_shapes=(2, 5, 7)
    )


def test_a_case_done_by_hand():
    # relu(2 * 3 + 1) = 7, times -1, plus 0.5; a gate of 3 * -2 = -6 turns 7 into -42.
    plain = FeedForward(1, "relu")
    gated = FeedForward(1, "relu", gated=True)
    three = np.array([[[3.0]]])
    plain(three), gated(three)
    one, zero = np.ones((1, 1)), np.zeros(1)
    plain.set_weights([2 * one, zero + 1, -one, zero + 0.5])
    gated.set_weights([2 * one, zero + 1, -2 * one, zero, -one, zero + 0.5])

    assert_close(plain(three), [[[-6.5]]])
    assert_close(gated(three), [[[42.5]]])


@pytest.mark.parametrize("gated", [False, True])
def test_equal_to_numpy(gated):
    layer = FeedForward(11, gated=gated)
    layer(INPUTS)
    rng = np.random.default_rng(seed=1)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    weights = reference.named_weights(layer)

    expected = reference.feed_forward(weights, INPUTS, reference.gelu, gated)

    assert_close(layer(INPUTS), expected)


def test_dropout_in_training_only():
    layer = FeedForward(101, dropout=0.5, seed=3)
    still = layer(INPUTS)

    assert_close(layer(INPUTS, training=False), still, tolerance=0)
    moved = ops.convert_to_numpy(layer(INPUTS, training=True) - still)
    assert np.abs(moved).min() > 0


def test_projections_do_not_start_alike():
    layer = FeedForward(7, gated=True)
    layer(INPUTS)
    inner, gate = layer.inner_projection.kernel, layer.gate_projection.kernel

    assert np.abs(ops.convert_to_numpy(inner - gate)).max() > 0.01


def test_without_bias():
    layer = FeedForward(11, use_bias=False, gated=True)
    layer(INPUTS)

    assert [tuple(w.shape) for w in layer.weights] == [(7, 11), (7, 11), (11, 7)]


def test_activation_may_be_a_function():
    layer = FeedForward(11, keras.ops.tanh)
    by_name = FeedForward(11, "tanh")
    layer(INPUTS), by_name(INPUTS)
    by_name.set_weights(layer.get_weights())

    assert_close(layer(INPUTS), by_name(INPUTS), tolerance=0)


def test_a_width_below_one_is_refused():
    with pytest.raises(ValueError, match="`intermediate_dim` must be at least 1"):
        FeedForward(0)


def test_the_same_numbers_on_every_backend():
    weights, inputs, expected = make_cross_backend.load("feed_forward")
    layer = FeedForward(**make_cross_backend.FEED_FORWARD)
    layer(**inputs)
    make_cross_backend.give(layer, weights)

    assert_close(layer(**inputs), expected["output"])
