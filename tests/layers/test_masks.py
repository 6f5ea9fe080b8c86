"""masks: what True means, causal alignment, finite lows, rows that see nothing."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers.masks import (
    Visibility,
    both,
    causal_mask,
    heads_mask,
    hide_rows,
    mask_scores,
    masked_softmax,
    zero_blind_rows,
)
from tests import reference
from tests.checks import assert_close


def test_causal_mask_by_hand():
    # The two queries are the last two of four steps.
    assert_close(causal_mask(2, 4), [[1, 1, 1, 0], [1, 1, 1, 1]])
    # The first of three queries has no key: it comes before both.
    assert_close(causal_mask(3, 2), [[0, 0], [1, 0], [1, 1]])


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (5, 5), (3, 7), (7, 3)])
def test_causal_mask_equals_a_loop(queries, keys):
    assert_close(causal_mask(queries, keys), reference.causal(queries, keys))


def test_both_is_and_where_none_hides_nothing():
    first, second = np.array([True, True, False]), np.array([True, False, False])

    assert both(None, None) is None
    assert_close(both(first, None), first)
    assert_close(both(None, second), second)
    assert_close(both(first, second), [1, 0, 0])


def test_visibility_puts_the_pieces_together():
    rng = np.random.default_rng(seed=0)
    key_mask = rng.random((2, 5)) < 0.7  # (B, S)
    attention_mask = rng.random((2, 1, 3, 5)) < 0.7  # (B, 1, T, S)

    seen = Visibility(key_mask, attention_mask, is_causal=True).mask(3, 5)

    causal = reference.causal(3, 5)
    assert_close(seen, key_mask[:, None, None] & attention_mask & causal)
    assert Visibility().mask(3, 5) is None


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (5, 5), (3, 7), (7, 3)])
def test_num_seeing_counts_the_queries_that_see_each_key(queries, keys, causal):
    rng = np.random.default_rng(seed=0)
    key_mask = rng.random((2, keys)) < 0.7
    pairs = rng.random((2, 3, queries, keys)) < 0.7
    for some, more in [(None, None), (key_mask, None), (key_mask, pairs)]:
        visible = np.ones((2, 3, queries, keys), bool)
        visible &= reference.causal(queries, keys) | (not causal)
        if some is not None:
            visible &= some[:, None, None]
        if more is not None:
            visible &= more

        count = Visibility(some, more, causal).num_seeing(queries, keys)

        count = np.broadcast_to(ops.convert_to_numpy(count), (2, 3, 1, keys))
        assert_close(count, visible.sum(axis=2, keepdims=True))


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_heads_mask_takes_ranks_2_3_and_4(dtype):
    mask = np.random.default_rng(seed=0).random((2, 7, 3, 5)) < 0.5

    assert_close(heads_mask(mask.astype(dtype)), mask)
    assert_close(heads_mask(mask[:, 0].astype(dtype)), mask[:, :1])
    assert_close(heads_mask(mask[0, 0].astype(dtype)), mask[:1, :1])
    assert heads_mask(None) is None


@pytest.mark.parametrize("shape", [(5,), (2, 3, 5, 7, 1)])
def test_another_rank_is_refused(shape):
    with pytest.raises(ValueError, match="`attention_mask` must have shape"):
        heads_mask(np.ones(shape, "bool"))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_hidden_scores_are_finite_and_get_no_weight(dtype):
    scores = ops.cast(np.array([[9.0, 60_000.0, 8.0]]), dtype)
    mask = np.array([[True, False, True]])

    masked = mask_scores(scores, mask)

    assert keras.backend.standardize_dtype(masked.dtype) == dtype
    assert np.isfinite(ops.convert_to_numpy(ops.cast(masked, "float32"))).all()
    share = 1 / (1 + np.exp(-1.0))
    weights = ops.cast(ops.softmax(masked), "float32")
    assert_close(weights, [[share, 0, 1 - share]], 1e-5 if dtype == "float32" else 5e-3)
    assert mask_scores(scores, None) is scores


def test_masked_softmax_by_hand():
    # exp(ln 3) : exp(0) = 3 : 1; the second row sees nothing.
    scores = np.log([[3.0, 1.0, 7.0], [3.0, 1.0, 7.0]])
    mask = np.array([[True, True, False], [False, False, False]])

    assert_close(masked_softmax(scores, mask), [[0.75, 0.25, 0], [0, 0, 0]])


def test_softmax_is_float32_whatever_comes():
    weights = masked_softmax(ops.ones((2, 3), "float16"), None)

    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    assert_close(weights, np.full((2, 3), 1 / 3))


def test_blind_rows_become_zero_and_others_stay():
    context = np.random.default_rng(seed=0).normal(size=(2, 3, 5, 7)).astype("float32")
    mask = np.ones((2, 1, 5, 11), "bool")
    mask[1, :, 2] = False
    expected = context.copy()
    expected[1, :, 2] = 0

    assert_close(zero_blind_rows(context, mask), expected, tolerance=0)
    assert zero_blind_rows(context, None) is context


def test_hidden_queries_are_rows_of_zeros():
    context, weights = np.ones((2, 3, 2, 5)), np.ones((2, 3, 2, 4))
    real = np.array([[True, False], [True, True]])

    hidden = hide_rows(context, weights, real)

    assert_close(hidden[0], context * real[:, None, :, None])
    assert_close(hidden[1], weights * real[:, None, :, None])
    assert hide_rows(context, None, None) == (context, None)
    assert hide_rows(context, None, real)[1] is None
