"""AttentionPooling: its contract, its formula, its padding, its errors."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import AttentionPooling
from tests import reference
from tests.checks import assert_close, check_layer, examples, padding

rng = np.random.default_rng(seed=0)
INPUTS = rng.normal(size=(2, 7, 6)).astype("float32")  # (B, T, E)


def test_layer_contract():
    check_layer(
        AttentionPooling(num_heads=3, units=5),
        {"inputs": INPUTS, "padding_mask": padding(2, 7)},
        [(2, 18), (2, 3, 7)],
        trains_mixed=True,
        return_attention_scores=True,
    )


def test_a_case_done_by_hand():
    # w = (1, 0): scores 0 and ln 3, weights 1/4 and 3/4; the features are averaged.
    layer = AttentionPooling()
    inputs = np.array([[[0.0, 8.0], [math.log(3), 4.0]]])
    layer(inputs)
    layer.set_weights([np.array([[1.0], [0.0]])])

    pooled, weights = layer(inputs, return_attention_scores=True)

    assert_close(weights, [[[0.25, 0.75]]])
    assert_close(pooled, [[0.75 * math.log(3), 5.0]])


def loop(layer, inputs, real):
    """The docstring's formula, a head at a time."""
    named = reference.named_weights(layer)
    hidden = inputs.astype("float64")
    if layer.units is not None:
        hidden = np.tanh(hidden @ named["hidden/kernel"])
    pooled, weights = [], []
    for head in range(layer.num_heads):
        scores = (hidden @ named["score/kernel"])[:, None, :, head]
        mean, shares = reference.mean_under_scores(scores, inputs, real[:, None])
        pooled.append(mean[:, 0])
        weights.append(shares)
    return np.concatenate(pooled, axis=-1), np.concatenate(weights, axis=1)


@examples(20)
@given(
    shape=st.sampled_from([(1, 1, 4), (2, 5, 3)]),
    num_heads=st.integers(1, 3),
    units=st.sampled_from([None, 7]),
    chance=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_it_equals_a_loop(shape, num_heads, units, chance, seed):
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=shape).astype("float32")
    real = draw.random(shape[:2]) < chance
    layer = AttentionPooling(num_heads, units)

    pooled, weights = layer(inputs, padding_mask=real, return_attention_scores=True)

    expected, expected_weights = loop(layer, inputs, real)
    assert_close(pooled, expected)
    assert_close(weights, expected_weights)
    assert_close(layer(inputs, padding_mask=real), expected)


def test_a_padded_position_has_no_influence():
    layer = AttentionPooling(2)
    real = padding(2, 7)
    louder = np.where(real[..., None], INPUTS, INPUTS + 100.0)
    pooled = layer(INPUTS, padding_mask=real)
    assert_close(layer(louder, padding_mask=real), pooled, 1e-6)
    for row in range(2):  # and the row alone gives the same
        assert_close(layer(INPUTS[row : row + 1, real[row]]), pooled[row : row + 1])


def test_a_row_that_is_all_padding_gives_zero():
    real = np.array([[True] * 7, [False] * 7])
    pooled, weights = AttentionPooling(2)(
        INPUTS, padding_mask=real, return_attention_scores=True
    )
    assert np.all(ops.convert_to_numpy(pooled)[1] == 0)
    assert_close(ops.sum(weights, axis=-1), [[1, 1], [0, 0]])


def test_the_order_of_positions_does_not_matter():
    layer, order = AttentionPooling(2, units=5), rng.permutation(7)
    assert_close(layer(INPUTS[:, order]), layer(INPUTS))


def test_a_mask_that_keras_hands_on_is_honoured_and_ends_here():
    token_ids = np.array([[3, 1, 0, 0], [2, 5, 4, 0]])
    embedding = keras.layers.Embedding(6, 4, mask_zero=True)
    layer, inputs = AttentionPooling(2), keras.Input((None,), dtype="int32")
    pooled = layer(embedding(inputs))
    assert getattr(pooled, "_keras_mask", None) is None
    embedded = ops.convert_to_numpy(embedding(token_ids))
    expected = layer(embedded, padding_mask=token_ids > 0)
    assert_close(keras.Model(inputs, pooled)(token_ids), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be at least 1"),
        ({"units": 0}, "`units` must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionPooling(**arguments)
