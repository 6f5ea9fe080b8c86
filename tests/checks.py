"""Checks that many tests share."""

import numpy as np
from keras import ops


def assert_close(actual, expected, tolerance=1e-5):
    """Fails unless both have one shape and differ nowhere by more than tolerance.

    Large numbers are compared relative to their size.
    """
    actual = np.asarray(ops.convert_to_numpy(actual), dtype="float64")
    expected = np.asarray(ops.convert_to_numpy(expected), dtype="float64")
    np.testing.assert_equal(actual.shape, expected.shape)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
