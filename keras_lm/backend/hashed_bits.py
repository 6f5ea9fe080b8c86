"""Random bits as a function of their place: integers that XLA makes as it needs them.

A generator that is counted forward, as the backends' own are, costs JAX and TensorFlow
more than what the bits are wanted for.
"""

import numpy as np
from keras import ops


def hashed_bits(count, seed):
    """Uniform bits for the places 0 to `count - 1`, by a mixing function.

    The same on every backend. Good enough to drop features, not to keep secrets.

    Args:
        count: int or int scalar tensor.
        seed: uint32 `(2,)`.

    Returns:
        uint32 `(count,)`.

    Source: https://nullprogram.com/blog/2018/07/31/ (a function whose output bits
        depend on the input bits nearly without bias).
    """
    seed = ops.cast(seed, "uint32")
    first = _mixed(ops.add(_mixed(seed[0]), seed[1]))
    second = _mixed(ops.add(first, _number(0x9E3779B1)))
    places = ops.cast(ops.arange(count, dtype="int32"), "uint32")
    spread = ops.multiply(ops.bitwise_xor(places, first), _number(0x9E3779B1))
    return _mixed(ops.add(spread, second))


def hashed_dropout(inputs, rate, seed):
    """`backend.dropout` by hashed bits.

    Args:
        inputs: float, any shape.
        rate: float, above 0 and below 1.
        seed: uint32 `(2,)`.

    Returns:
        Like `inputs`.
    """
    bits = ops.reshape(hashed_bits(ops.size(inputs), seed), ops.shape(inputs))
    keep = ops.greater_equal(bits, _number(min(round(rate * 2**32), 2**32 - 1)))
    return ops.where(keep, inputs / (1 - rate), ops.zeros_like(inputs))


def _mixed(bits):
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = ops.bitwise_xor(bits, ops.right_shift(bits, _number(shift)))
        bits = ops.multiply(bits, _number(factor))
    return ops.bitwise_xor(bits, ops.right_shift(bits, _number(16)))


def _number(number):
    return ops.convert_to_tensor(np.uint32(number))
