"""Summaries of regions: by hand, the same sums as tokens come, empty, extreme."""

import math

import numpy as np
import pytest
from keras import ops

from keras_lm.layers.region_summaries import (
    add_to_sums,
    pooling_weights,
    read_sums,
    start_sums,
    sum_regions,
)
from tests.checks import assert_close, gradients

rng = np.random.default_rng(seed=0)
SHAPE = (2, 3, 4, 5)  # (B, K, R, r)
KEY, VALUE = (rng.normal(size=(*SHAPE, d)).astype("float32") for d in (6, 7))
IMPORTANCE = 3 * rng.normal(size=(*SHAPE, 1)).astype("float32")
VISIBLE = rng.random((2, 1, 4, 5, 1)) < 0.7
VISIBLE[1, :, 2] = False  # a region without tokens


def test_a_case_done_by_hand():
    # Importances 0 and ln 3, and a hidden token: weights 1/4, 3/4, importance ln 4.
    importance = np.array([[0, math.log(3), 9]], "float32")
    weights, total = pooling_weights(importance, np.array([[True, True, False]]))
    assert_close(weights, [[0.25, 0.75, 0]])
    assert_close(total, [math.log(4)])

    key = np.array([4.0, 8.0, 100.0]).reshape(1, 1, 1, 3, 1).astype("float32")
    sums = sum_regions(
        key, -key, importance.reshape(key.shape), (key < 50).astype("bool")
    )
    summaries = read_sums(sums, "float32")
    assert_close(summaries.key, [[[[7.0]]]])
    assert_close(summaries.value, [[[[-7.0]]]])
    assert_close(summaries.importance, [[[[math.log(4)]]]])


def test_whole_regions_are_pooled_by_their_weights():
    summaries = read_sums(sum_regions(KEY, VALUE, IMPORTANCE, VISIBLE), "float32")
    weights, importance = pooling_weights(IMPORTANCE[..., 0], VISIBLE[..., 0])
    weights = ops.convert_to_numpy(weights)[..., None]

    assert_close(summaries.key, (weights * KEY).sum(axis=3))
    assert_close(summaries.value, (weights * VALUE).sum(axis=3))
    assert_close(summaries.importance[..., 0], importance)
    assert_close(summaries.visible, VISIBLE.any(axis=(1, 3, 4)), tolerance=0)
    assert_close(weights.sum(axis=(3, 4))[1, :, 2], np.zeros(3), tolerance=0)


@pytest.mark.parametrize("piece", [1, 3, 20])
def test_tokens_may_come_in_pieces_and_in_any_order(piece):
    whole = read_sums(sum_regions(KEY, VALUE, IMPORTANCE, VISIBLE), "float32")
    regions = np.where(VISIBLE[:, 0, ..., 0], np.arange(4)[:, None], -1)  # (B, R, r)
    tokens = [x.reshape(2, 3, 20, -1) for x in (KEY, VALUE, IMPORTANCE)]
    order = rng.permutation(20)
    sums = start_sums(2, 3, 4, {"key": 6, "value": 7})
    for start in range(0, 20, piece):
        some = order[start : start + piece]
        arrays = [ops.convert_to_tensor(x[:, :, some]) for x in tokens]
        ids = ops.convert_to_tensor(regions.reshape(2, 20)[:, some].astype("int32"))
        sums = add_to_sums(sums, *arrays, ids)

    for actual, expected in zip(read_sums(sums, "float32"), whole, strict=True):
        assert_close(actual, expected)


def test_extreme_importances_neither_overflow_nor_vanish():
    for level in (-500.0, 500.0):
        importance = np.full_like(IMPORTANCE, level)
        sums = sum_regions(KEY, VALUE, importance, np.ones_like(VISIBLE))
        summaries = read_sums(sums, "float32")
        assert_close(summaries.key, KEY.mean(axis=3))
        assert_close(summaries.importance, np.full((2, 3, 4, 1), level + math.log(5)))
        late = add_to_sums(
            start_sums(2, 3, 4, {"key": 6, "value": 7}),
            *(ops.convert_to_tensor(x[:, :, 1]) for x in (KEY, VALUE, importance)),
            ops.convert_to_tensor(np.full((2, 5), 1, "int32")),
        )
        assert_close(read_sums(late, "float32").key[:, :, 1], KEY[:, :, 1].mean(axis=2))


def test_gradients_are_finite_and_pass_hidden_tokens_by():
    def total(key, importance):
        summaries = read_sums(sum_regions(key, VALUE, importance, VISIBLE), "float32")
        return ops.sum(summaries.key**2) + ops.sum(summaries.importance**2)

    _, found = gradients(total, (KEY, IMPORTANCE))

    for gradient in found:
        assert np.all(np.isfinite(gradient))
        assert np.all(gradient * ~VISIBLE == 0)
        assert np.all(np.any(gradient != 0, axis=-1) == VISIBLE[..., 0])
