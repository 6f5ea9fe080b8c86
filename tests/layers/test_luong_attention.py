"""LuongAttention: its contract, its three scores, its two windows, its errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import LuongAttention
from tests import reference
from tests.checks import assert_close, check_layer, examples, padding

rng = np.random.default_rng(seed=0)
QUERY = rng.normal(size=(2, 3, 4)).astype("float32")  # (B, T, Dq)
VALUE = rng.normal(size=(2, 5, 6)).astype("float32")  # (B, S, Dv)
SCORES = ("general", "dot", "concat")


@pytest.mark.parametrize(
    ("arguments", "width"),
    [
        ({"local": "monotonic", "window": 1}, 6),
        ({"score": "concat", "units": 7, "output_dim": 8, "local": "predictive"}, 8),
    ],
    ids=["general, monotonic", "concat, predictive, attentional state"],
)
def test_layer_contract(arguments, width):
    check_layer(
        LuongAttention(**arguments),
        {"query": QUERY, "value": VALUE, "value_mask": padding(2, 5)},
        [(2, 3, width), (2, 1, 3, 5)],
        trains_mixed=True,
        return_attention_scores=True,
    )


def test_a_case_done_by_hand():
    # W = 2 and h = 1: scores 0 and 2 * ln(3) / 2 = ln 3, weights 1/4 and 3/4; and
    # with W_c = (1, 1) the attentional state is tanh(3 + 1).
    query, value = np.ones((1, 1, 1)), np.array([[[0.0], [4.0]]])
    key = np.array([[[0.0], [math.log(3) / 2]]])
    for output_dim, expected in ((None, 3.0), (1, math.tanh(4.0))):
        layer = LuongAttention(output_dim=output_dim)
        layer(query, value, key)
        layer.set_weights(
            [np.array([[2.0]]), np.ones((2, 1))][: 2 if output_dim else 1]
        )

        output, weights = layer(query, value, key, return_attention_scores=True)

        assert_close(weights, [[[[0.25, 0.75]]]])
        assert_close(output, [[[expected]]])


def flat(local, window, num_keys, num_queries=1, **options):
    """The weights where all scores are 0, and `p = S / 2` when predictive."""
    layer = LuongAttention(local=local, window=window)
    query = np.zeros((1, num_queries, 2), "float32")
    value = np.zeros((1, num_keys, 3), "float32")
    _, weights = layer(query, value, return_attention_scores=True, **options)
    return ops.convert_to_numpy(weights)[0, 0]


def test_a_predictive_window_done_by_hand():
    # S = 3, p = 1.5: the keys 1, 2, 3 are 0.5, 0.5 and 1.5 away. With D = 1 the third
    # is outside; with D = 2 the Gaussian exp(-2 (d / D)^2) gives e^-1/8 twice, e^-9/8.
    assert_close(flat("predictive", 1, 3), [[1 / 2, 1 / 2, 0]])
    rest = math.exp(-1)
    near = 1 / (2 + rest)
    assert_close(flat("predictive", 2, 3), [[near, near, rest * near]])


def test_a_predictive_window_counts_real_keys_only():
    real = np.array([[False, True, False, True, True, False]])
    weights = flat("predictive", 1, 6, value_mask=real)
    assert_close(weights, [[0, 1 / 2, 0, 1 / 2, 0, 0]])


def test_a_monotonic_window_done_by_hand():
    weights = flat("monotonic", 1, 4, num_queries=6)
    third, half = 1 / 3, 1 / 2
    expected = [
        [half, half, 0, 0],
        [third, third, third, 0],
        [0, third, third, third],
        [0, 0, half, half],
        [0, 0, 0, 1],
        [0, 0, 0, 0],  # the sixth query is two beyond the last key
    ]
    assert_close(weights, expected)


def test_a_monotonic_window_counts_real_queries_and_keys_only():
    weights = flat(
        "monotonic",
        1,
        4,
        num_queries=3,
        query_mask=np.array([[False, True, True]]),
        value_mask=np.array([[True, False, True, True]]),
    )
    third, half = 1 / 3, 1 / 2
    expected = [[0, 0, 0, 0], [half, 0, half, 0], [third, 0, third, third]]
    assert_close(weights, expected)


def test_a_causal_monotonic_window_ends_at_the_query():
    # Two queries for five keys: they stand at the last two.
    weights = flat("monotonic", 2, 5, num_queries=2, use_causal_mask=True)
    third = 1 / 3
    assert_close(weights, [[0, third, third, third, 0], [0, 0, third, third, third]])


def test_a_causal_predictive_window_does_not_know_how_long_the_text_becomes():
    # All scores 0 and p = t / 2: the fourth query sees keys 1 .. 3 alike in any text.
    short = flat("predictive", 1, 4, num_queries=4, use_causal_mask=True)
    long = flat("predictive", 1, 9, num_queries=9, use_causal_mask=True)
    assert_close(long[:4, :4], short)
    rest = math.exp(-2)
    assert_close(short[3], [rest / (1 + 2 * rest), 1 / (1 + 2 * rest), short[3, 0], 0])


def loop(layer, query, value, visible):
    """The docstring's formula, a pair at a time; no padded queries."""
    named = reference.named_weights(layer)
    scores = np.zeros((*query.shape[:2], value.shape[1]))
    near = np.zeros(scores.shape, "bool")
    for b, t, s in np.ndindex(scores.shape):
        h, k = query[b, t].astype("float64"), value[b, s].astype("float64")
        if layer.score == "dot":
            scores[b, t, s] = h @ k
        elif layer.score == "general":
            scores[b, t, s] = h @ (k @ named["key/kernel"])
        else:
            hidden = h @ named["query/kernel"] + k @ named["key/kernel"]
            scores[b, t, s] = np.tanh(hidden) @ named["score_vector"]
        p = t + 1
        if layer.local == "predictive":
            turn = np.tanh(h @ named["place/kernel"]) @ named["place_score/kernel"]
            p = visible[b].any(axis=0).sum() / (1 + math.exp(-turn[0]))
        place = visible[b, 0, : s + 1].sum()
        near[b, t, s] = layer.local is None or abs(place - p) <= layer.window
        if layer.local == "predictive":
            scores[b, t, s] -= (place - p) ** 2 / (2 * (layer.window / 2) ** 2)
    return reference.mean_under_scores(scores, value, visible & near)


@examples(24)
@given(
    sizes=st.sampled_from([(1, 1, 1), (2, 3, 5)]),
    score=st.sampled_from(SCORES),
    local=st.sampled_from([None, "monotonic", "predictive"]),
    window=st.integers(1, 3),
    chance=st.sampled_from([0.0, 0.6, 1.0]),
    seed=st.integers(0, 99),
)
def test_it_equals_a_loop(sizes, score, local, window, chance, seed):
    batch, num_queries, num_keys = sizes
    draw = np.random.default_rng(seed)
    width = 4 if score == "dot" else 6
    query = draw.normal(size=(batch, num_queries, 4)).astype("float32")
    value = draw.normal(size=(batch, num_keys, width)).astype("float32")
    real = draw.random((batch, num_keys)) < chance
    visible = np.broadcast_to(real[:, None], (batch, num_queries, num_keys))
    layer = LuongAttention(7, score, local, window)

    context, weights = layer(
        query, value, value_mask=real, return_attention_scores=True
    )

    expected, expected_weights = loop(layer, query, value, visible)
    assert_close(context, expected)
    assert_close(weights[:, 0], expected_weights)


def test_no_weight_outside_the_window():
    layer = LuongAttention(local="predictive", window=2)
    value = rng.normal(size=(2, 40, 6)).astype("float32")
    _, weights = layer(QUERY, value, return_attention_scores=True)
    per_row = (ops.convert_to_numpy(weights) > 0).sum(axis=-1)
    assert per_row.min() >= 4 and per_row.max() <= 5  # 2 D + 1 integers at most
    assert_close(ops.sum(weights, axis=-1), np.ones((2, 1, 3)))


def test_units_are_the_width_of_the_query_when_none():
    layer = LuongAttention(score="concat", local="predictive")
    layer(QUERY, VALUE)
    shapes = {name: x.shape for name, x in reference.named_weights(layer).items()}
    assert shapes["score_vector"] == (4,) and shapes["place/kernel"] == (4, 4)


def test_the_configuration_is_the_constructor():
    arguments = {
        "units": 7,
        "score": "concat",
        "local": "monotonic",
        "window": 3,
        "output_dim": 5,
    }
    config = LuongAttention(**arguments).get_config()
    assert {name: config[name] for name in arguments} == arguments
    assert set(config) == {*arguments, "name", "trainable", "dtype"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units` must be at least 1"),
        ({"window": 0}, "`window` must be at least 1"),
        ({"output_dim": 0}, "`output_dim` must be at least 1"),
        ({"score": "product"}, "`score` must be one of"),
        ({"local": "near"}, "`local` must be one of"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LuongAttention(**arguments)


def test_dot_needs_one_width():
    with pytest.raises(ValueError, match="needs queries and keys of one width"):
        LuongAttention(score="dot")(QUERY, VALUE)


def test_a_monotonic_step_must_know_where_it_stands():
    layer = LuongAttention(local="monotonic")
    layer(QUERY, VALUE)
    with pytest.raises(ValueError, match="`position_ids` must be given to a step"):
        layer.step(QUERY[:, :1], layer.remember(VALUE))
