"""Rotary position embedding (Su et al., 2021)."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_positive
from keras_lm.layers.rotary_speeds import check_rotary_scaling, rotary_speeds


@keras.saving.register_keras_serializable(package="keras_lm")
class RotaryEmbedding(keras.layers.Layer):
    """Turns each pair of features by an angle that grows with the position.

    For position `m`, features `x_i` and `x_{i + D/2}`, and
    `angle = m * wavelength ** (-2 i / D)`:

        x_i           ->  x_i cos(angle) - x_{i + D/2} sin(angle)
        x_{i + D/2}   ->  x_{i + D/2} cos(angle) + x_i sin(angle)

    so the product of a query and a key depends on the distance of their positions.
    The pairs are `(i, i + D/2)`, as in Llama and KerasHub, not neighbours as in the
    paper; the two differ by an order of features.

    Shapes: `B` batch, `H` heads, `T` steps, `D` width of a head.

    Args:
        wavelength: float, above 0. The paper's 10000: how slowly the slowest pair
            turns. Larger values suit longer texts.
        scaling: dictionary or `None`. Slows the turns down for texts longer than those
            of the training; as `rope_parameters` in transformers' `config.json`, of
            `rope_type` "linear", "llama3" or "yarn" (`rotary_speeds.py` says what each
            computes).

    Call arguments:
        inputs: float `(B, H, T, D)`, `D` even. Queries or keys.
        position_ids: int `(B or 1, T)`; `0, 1, .. T - 1` when `None`.

    Returns:
        float `(B, H, T, D)`; each pair keeps its length, or with "yarn" has it
        multiplied by one number.

    Raises:
        TypeError: `scaling` is no dictionary.
        ValueError: `wavelength` is not above 0, or 1 with "yarn"; `scaling` is none of
            these kinds, or `D` is odd.

    Example:
        >>> rotary = RotaryEmbedding()
        >>> tuple(rotary(keras.random.normal((2, 3, 5, 8))).shape)
        (2, 3, 5, 8)

    Source: https://arxiv.org/abs/2104.09864, equation 34.
    """

    def __init__(self, wavelength=10_000.0, scaling=None, **kwargs):
        check_positive("wavelength", wavelength)
        if scaling is not None:
            check_rotary_scaling(scaling)
            if scaling["rope_type"] == "yarn" and not wavelength > 1:
                raise ValueError(
                    "With a scaling of the kind 'yarn' `wavelength` must be above 1, "
                    "for pairs are told apart by their speeds. Received: "
                    f"wavelength={wavelength}"
                )
        super().__init__(**kwargs)
        self.wavelength = wavelength
        self.scaling = scaling
        self.built = True

    def call(self, inputs, position_ids=None):
        width = inputs.shape[-1]
        if width % 2:
            raise ValueError(
                "The width of a head must be even to turn pairs of features. "
                f"Received: inputs of shape {tuple(inputs.shape)}"
            )
        if position_ids is None:
            steps = ops.arange(0, ops.shape(inputs)[2], dtype="int32")
            position_ids = ops.expand_dims(steps, 0)
        speeds, gain = rotary_speeds(width, self.wavelength, self.scaling)
        speeds = ops.convert_to_tensor(speeds, "float32")  # (D / 2,)
        angle = ops.expand_dims(ops.cast(position_ids, "float32"), -1) * speeds
        angle = ops.expand_dims(angle, 1)  # (B, 1, T, D / 2)
        cos, sin = (ops.cast(gain * f(angle), inputs.dtype) for f in (ops.cos, ops.sin))
        first, second = ops.split(inputs, 2, axis=-1)
        return ops.concatenate(
            [first * cos - second * sin, second * cos + first * sin], axis=-1
        )

    def compute_output_spec(self, inputs, position_ids=None):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        own = {"wavelength": self.wavelength, "scaling": self.scaling}
        return {**super().get_config(), **own}
