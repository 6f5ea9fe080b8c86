"""BahdanauAttention: its contract, its formula, Keras' own, its errors."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import BahdanauAttention
from keras_lm.layers.bahdanau_attention import additive_scores
from tests import reference
from tests.checks import assert_close, check_layer, examples, padding

rng = np.random.default_rng(seed=0)
QUERY = rng.normal(size=(2, 3, 4)).astype("float32")  # (B, T, Dq)
VALUE = rng.normal(size=(2, 5, 6)).astype("float32")  # (B, S, Dv)
KEY = rng.normal(size=(2, 5, 8)).astype("float32")  # (B, S, Dk)


def test_layer_contract():
    check_layer(
        BahdanauAttention(units=7),
        {"query": QUERY, "value": VALUE, "key": KEY, "value_mask": padding(2, 5)},
        [(2, 3, 6), (2, 1, 3, 5)],
        trains_mixed=True,
        return_attention_scores=True,
    )


def test_a_case_done_by_hand():
    # W = U = 1 and v = 2, so the scores are 2 tanh(0) = 0 and
    # 2 tanh(atanh(ln(3) / 2)) = ln 3: weights 1/4, 3/4, context 3/4 * 4 = 3.
    layer = BahdanauAttention(units=1)
    query, value = np.zeros((1, 1, 1)), np.array([[[0.0], [4.0]]])
    key = np.arctanh(np.array([[[0.0], [math.log(3) / 2]]]))
    layer(query, value, key)
    layer.set_weights([np.array([2.0]), np.ones((1, 1)), np.ones((1, 1))])

    context, weights = layer(query, value, key, return_attention_scores=True)

    assert_close(weights, [[[[0.25, 0.75]]]])
    assert_close(context, [[[3.0]]])


def loop(layer, query, value, key, visible):
    """The docstring's formula, a pair at a time."""
    named = reference.named_weights(layer)
    scores = np.zeros((*query.shape[:2], key.shape[1]))
    for b, t, s in np.ndindex(scores.shape):
        hidden = query[b, t] @ named["query/kernel"] + key[b, s] @ named["key/kernel"]
        scores[b, t, s] = np.tanh(hidden) @ named["score_vector"]
    return reference.mean_under_scores(scores, value, visible)


@examples(20)
@given(
    sizes=st.sampled_from([(1, 1, 1), (2, 3, 5), (3, 5, 2)]),
    chance=st.sampled_from([0.0, 0.5, 1.0]),
    causal=st.booleans(),
    seed=st.integers(0, 99),
)
def test_it_equals_a_loop(sizes, chance, causal, seed):
    batch, num_queries, num_keys = sizes
    draw = np.random.default_rng(seed)
    query = draw.normal(size=(batch, num_queries, 4)).astype("float32")
    value = draw.normal(size=(batch, num_keys, 6)).astype("float32")
    key = draw.normal(size=(batch, num_keys, 3)).astype("float32")
    real = draw.random((batch, num_keys)) < chance
    visible = np.broadcast_to(real[:, None], (batch, num_queries, num_keys))
    if causal:
        visible = visible & reference.causal(num_queries, num_keys)
    layer = BahdanauAttention(units=7)
    context, weights = layer(
        query,
        value,
        key,
        key_mask=real,
        use_causal_mask=causal,
        return_attention_scores=True,
    )
    expected, expected_weights = loop(layer, query, value, key, visible)
    assert_close(context, expected)
    assert_close(weights[:, 0], expected_weights)
    assert_close(
        layer(query, value, key, key_mask=real, use_causal_mask=causal), expected
    )


def test_with_identity_projections_it_is_keras_additive_attention():
    value, key = VALUE, rng.normal(size=(2, 5, 4)).astype("float32")
    layer, plain = BahdanauAttention(units=4), keras.layers.AdditiveAttention()
    layer(QUERY, value, key)
    plain([QUERY, value, key])
    layer.set_weights([*plain.get_weights(), np.eye(4), np.eye(4)])
    mask = padding(2, 5)

    expected, weights = plain(
        [QUERY, value, key], mask=[None, mask], return_attention_scores=True
    )

    context, ours = layer(
        QUERY, value, key, value_mask=mask, return_attention_scores=True
    )
    assert_close(context, expected)
    assert_close(ours[:, 0], weights)


def test_scores_by_hand():
    # tanh(0.5 + 0.5) * 2 + tanh(0 - 1) * 3 = -tanh(1)
    scores = additive_scores(
        ops.convert_to_tensor([[[0.5, 0.0]]]),
        ops.convert_to_tensor([[[0.5, -1.0]]]),
        ops.convert_to_tensor([2.0, 3.0]),
    )
    assert_close(scores, [[[-math.tanh(1)]]])


def test_units_below_one_are_refused():
    with pytest.raises(ValueError, match="`units` must be at least 1"):
        BahdanauAttention(units=0)
