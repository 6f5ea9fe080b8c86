"""SinusoidalEmbedding: its contract, its formula, distances, its errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers import SinusoidalEmbedding
from tests.checks import assert_close, check_layer

PLACES = np.array([[0, 1, 2, 3, 4], [3, 0, 2, 9, 500]], "int32")  # (B, T)


def test_layer_contract():
    check_layer(SinusoidalEmbedding(6), {"position_ids": PLACES}, (2, 5, 6))


def test_a_case_done_by_hand():
    # Two pairs with wavelength 100: angles m and m / 10.
    layer = SinusoidalEmbedding(4, wavelength=100.0, initial_gain=2.0)

    vectors = layer(np.array([[0, 3]]))

    turned = [np.sin(3.0), np.sin(0.3), np.cos(3.0), np.cos(0.3)]
    assert_close(vectors, 2.0 * np.array([[[0.0, 0.0, 1.0, 1.0], turned]]))


def test_only_the_distance_counts():
    layer = SinusoidalEmbedding(10, initial_gain=1.0)

    near = ops.convert_to_numpy(layer(np.arange(6)[None]))[0]
    far = ops.convert_to_numpy(layer(1000 + np.arange(6)[None]))[0]

    assert_close(near @ near.T, far @ far.T, tolerance=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_dim": 0}, "`hidden_dim` must be at least 1"),
        ({"hidden_dim": 5}, "`hidden_dim` must be even"),
        ({"hidden_dim": 4, "wavelength": 0.0}, "`wavelength` must be above 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SinusoidalEmbedding(**arguments)
