"""Regions: which are near and far, what a step sees, the mean weights of regions."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers.regions import Regions
from tests.checks import assert_close

NUMBERS = np.arange(5, dtype="int32")


@pytest.mark.parametrize(
    ("is_causal", "near", "far"),
    [
        (True, ["10000", "11000", "01100"], ["00000", "00000", "10000"]),
        (False, ["11000", "11100", "01110"], ["00111", "00011", "10001"]),
    ],
)
def test_near_and_far(is_causal, near, far):
    regions = Regions(size=3, neighbors=1, is_causal=is_causal)
    rows, columns = NUMBERS[:3, None], NUMBERS[None]

    for seen, drawn in ((regions.near, near), (regions.far, far)):
        expected = [[mark == "1" for mark in row] for row in drawn]
        assert_close(seen(rows, columns), expected, tolerance=0)


def test_places_before_the_text_are_in_regions_below_0():
    places = np.array([-4, -1, 0, 2, 3, 8], "int32")
    assert_close(Regions(3, 1, True).of(places), [-2, -1, 0, 0, 1, 2], tolerance=0)


def test_what_a_step_sees():
    # Regions of 2, the own one near: a query at place 5, of region 2, sees the tokens
    # at 4 and 5, no padding, nothing later, and of the summaries 0 and 1 those that
    # have tokens. A query before the text sees nothing.
    regions = Regions(size=2, neighbors=0, is_causal=True)
    mask = regions.step_mask(
        np.array([[5, -1]], "int32"),
        np.array([[3, 4, -1, 5, 6]], "int32"),
        np.array([[True, False, True, True]]),
    )
    expected = [[0, 1, 0, 1, 0] + [1, 0, 0, 0], [0] * 9]
    assert_close(mask, [[expected]], tolerance=0)


def test_mean_weights_are_means_of_sums():
    rng = np.random.default_rng(seed=0)
    weights = rng.random((2, 3, 5, 5)).astype("float32")
    places = np.array([[0, 1, -1, 3, 4], [-1, -1, 0, 1, 2]], "int32")

    means = ops.convert_to_numpy(Regions(2, 1, True).mean_weights(weights, places))

    assert means.shape == (2, 3, 3, 3)
    for b, h, i, j in np.ndindex(means.shape):
        rows, columns = (
            [t for t in range(5) if places[b, t] // 2 == n] for n in (i, j)
        )
        expected = sum(weights[b, h, t, s] for t in rows for s in columns)
        assert_close(means[b, h, i, j], expected / max(len(rows), 1))
