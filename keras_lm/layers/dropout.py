"""Dropout whose randomness costs little."""

from numbers import Real

import keras
from keras import ops

from keras_lm import backend


@keras.saving.register_keras_serializable(package="keras_lm")
class Dropout(keras.layers.Dropout):
    """Zeroes a fraction of its inputs in training, and scales the rest up.

        output = input * keep / (1 - rate),   keep = 1 with probability 1 - rate

    so that the expected output is the input. Differs from `keras.layers.Dropout` in
    where the random bits come from, which there take longer than the rest of the layer
    by far; and in having no `noise_shape`. On JAX and TensorFlow equal seeds drop equal
    features.

    Args:
        rate: float, 0 to 1. Fraction dropped.
        seed: int or `None`.

    Call arguments:
        inputs: float, any shape.
        training: bool. Whether anything is dropped.

    Returns:
        Like `inputs`.

    Raises:
        ValueError: `rate` is not a fraction, or a `noise_shape` is given.

    Example:
        >>> layer = Dropout(0.5, seed=0)
        >>> dropped = layer(ops.ones((1, 1000)), training=True)
        >>> sorted(set(ops.convert_to_numpy(dropped)[0].tolist()))
        [0.0, 2.0]

    Source: https://jmlr.org/papers/v15/srivastava14a.html
    """

    def __init__(self, rate, seed=None, **kwargs):
        if not (isinstance(rate, Real) and 0 <= rate <= 1):
            raise ValueError(f"`rate` must be from 0 to 1. Received: rate={rate!r}")
        if kwargs.get("noise_shape") is not None:
            raise ValueError(
                "`noise_shape` must be left out: every number is dropped by itself. "
                f"Received: noise_shape={kwargs['noise_shape']}"
            )
        super().__init__(rate, seed=seed, **kwargs)

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return ops.zeros_like(inputs)
        return backend.dropout(inputs, self.rate, self.seed_generator.next())

    def get_config(self):
        config = super().get_config()
        del config["noise_shape"]
        return config
