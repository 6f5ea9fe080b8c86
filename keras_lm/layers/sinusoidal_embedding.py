"""Sinusoidal position embedding (Vaswani et al., 2017), with a learned gain."""

import keras
import numpy as np
from keras import ops

from keras_lm.layers.arguments import check_sizes


@keras.saving.register_keras_serializable(package="keras_lm")
class SinusoidalEmbedding(keras.layers.Layer):
    """A vector of sines and cosines for each place, of any place.

    For place `m` and `angle_i = m * wavelength ** (-2 i / D)`, `i` from 0 to `D/2 - 1`:

        vector_m = gain * (sin angle_0, sin angle_1, .., cos angle_0, cos angle_1, ..)

    The vector of a place some steps further is a rotation of this one, by the distance
    alone, and nothing ends at a longest text. Sines stand before cosines, as in Marian;
    the paper has them in turn, which differs by an order of features. The paper's
    sines are as large as its token embeddings, which it multiplies by `sqrt(D)`; here
    one gain is learned instead, and starts where the token embeddings do.

    Shapes: `B` batch, `T` steps, `D` hidden width.

    Args:
        hidden_dim: int, even, `D`.
        wavelength: float, above 0. The paper's 10000: how slowly the slowest pair
            turns.
        initial_gain: float. The gain before training.

    Call arguments:
        position_ids: int `(B or 1, T)`.

    Returns:
        float `(B or 1, T, D)`; each has the length `gain * sqrt(D / 2)`.

    Raises:
        ValueError: `hidden_dim` is below 1 or odd, or `wavelength` is not above 0.

    Example:
        >>> places = SinusoidalEmbedding(hidden_dim=16)
        >>> tuple(places(ops.arange(7)[None]).shape)
        (1, 7, 16)

    Source: https://arxiv.org/abs/1706.03762, section 3.5;
        https://arxiv.org/abs/1809.08895, section 3.2 (the gain).
    """

    def __init__(self, hidden_dim, wavelength=10_000.0, initial_gain=0.02, **kwargs):
        check_sizes(hidden_dim=hidden_dim)
        if hidden_dim % 2:
            raise ValueError(
                "`hidden_dim` must be even, for pairs of sine and cosine. "
                f"Received: hidden_dim={hidden_dim}"
            )
        if not wavelength > 0:
            raise ValueError(
                f"`wavelength` must be above 0. Received: wavelength={wavelength}"
            )
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.wavelength = wavelength
        self.initial_gain = initial_gain

    def build(self, position_ids_shape):
        self.gain = self.add_weight(
            name="gain",
            shape=(),
            initializer=keras.initializers.Constant(self.initial_gain),
        )

    def call(self, position_ids):
        exponents = np.arange(0, self.hidden_dim, 2) / self.hidden_dim
        turns = ops.convert_to_tensor(self.wavelength**-exponents, "float32")  # (D/2,)
        places = ops.expand_dims(ops.cast(position_ids, "float32"), -1)
        angles = places * turns  # (B, T, D / 2), in float32: far places are large
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        return ops.cast(waves, self.compute_dtype) * ops.cast(
            self.gain, self.compute_dtype
        )

    def compute_output_shape(self, position_ids_shape):
        return (*position_ids_shape, self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "wavelength": self.wavelength,
            "initial_gain": self.initial_gain,
        }
