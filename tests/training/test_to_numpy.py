"""to_numpy: the dtypes that NumPy has, and what becomes of the others."""

import keras
import numpy as np
import pytest

from keras_lm.training.to_numpy import to_numpy


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        *[("float32", "float32"), ("float16", "float16"), ("int32", "int32")],
        *[("int8", "int8"), ("bool", "bool"), ("bfloat16", "float32")],
    ],
)
def test_numpy_knows_what_comes(dtype, expected, tmp_path):
    array = to_numpy(keras.Variable([[0, 1, 1]], trainable=False, dtype=dtype))

    assert array.dtype.name == expected
    np.save(tmp_path / "a.npy", array, allow_pickle=False)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), [[0, 1, 1]])
