"""Variables as arrays that NumPy can compute with and write to its files."""

import numpy as np
from keras import ops


def to_numpy(variable) -> np.ndarray:
    """The value of a variable in a dtype of NumPy's own.

    bfloat16 and float8, which NumPy does not know, become float32, which holds them
    exactly; the others stay.

    Args:
        variable: `keras.Variable`.

    Returns:
        array.
    """
    # A copy: NumPy cannot read all that TensorFlow mirrors on several devices.
    array = ops.convert_to_numpy(ops.copy(variable.value))
    return array if array.dtype.kind in "fiub" else array.astype("float32")
