"""roll_rows: `numpy.roll` a row at a time, its undoing, and the shift of padding."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers.roll_rows import count_leading_hidden, roll_rows, unroll_rows
from tests.checks import assert_close, gradients

rng = np.random.default_rng(seed=0)
SHIFT = np.array([2, 0, 5], "int32")


@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 5), 1), ((3, 2, 5, 4), 2), ((3, 2, 7, 5), 3)]
)
def test_it_is_a_roll_of_each_row(shape, axis):
    array = rng.normal(size=shape).astype("float32")

    rolled = ops.convert_to_numpy(roll_rows(array, SHIFT, axis))
    back = ops.convert_to_numpy(unroll_rows(rolled, SHIFT, axis))

    for row in range(3):
        expected = np.roll(array[row], -SHIFT[row], axis=axis - 1)
        assert_close(rolled[row], expected, tolerance=0)
        expected = array[row].copy()
        expected[(slice(None),) * (axis - 1) + (slice(SHIFT[row]),)] = 0
        assert_close(back[row], expected, tolerance=0)


def test_without_a_shift_nothing_is_rolled():
    array = np.ones((2, 3, 4, 5))
    assert roll_rows(array, None) is array
    assert unroll_rows(array, None) is array
    assert count_leading_hidden(None) is None


def test_gradients_roll_back():
    array, factor = (rng.normal(size=(3, 2, 5, 4)).astype("float32") for _ in range(2))

    def total(array):
        rolled = roll_rows(array, ops.convert_to_tensor(SHIFT))
        return ops.sum(ops.multiply(rolled, factor))

    _, (gradient,) = gradients(total, (array,))

    for row in range(3):
        assert_close(gradient[row], np.roll(factor[row], SHIFT[row], axis=1))


def test_leading_hidden_positions_are_counted():
    # 1 1 0    none before the first visible
    # 0 1 0    one; the last does not count
    # 0 0 0    all
    mask = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], "bool")
    assert_close(count_leading_hidden(mask), [0, 1, 3], tolerance=0)
