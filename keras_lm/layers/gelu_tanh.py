"""The GELU of GPT-2, by a tanh."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
def gelu_tanh(x):
    """GELU by a tanh, as GPT-2 has it; "gelu" of Keras is the exact one.

    gelu_tanh(x) = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

    Args:
        x: float, any shape.

    Returns:
        float, the shape of `x`; at most 5e-4 from the exact GELU.

    Example:
        >>> tuple(gelu_tanh(ops.ones((2, 3))).shape)
        (2, 3)

    Source: https://arxiv.org/abs/1606.08415, section 2.
    """
    return ops.gelu(x, approximate=True)
