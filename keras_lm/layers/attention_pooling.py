"""Pooling by attention, one learned query a head (Lin et al., 2017)."""

import keras
from keras import ops

from keras_lm.layers.masks import masked_softmax


@keras.saving.register_keras_serializable(package="keras_lm")
class AttentionPooling(keras.layers.Layer):
    """A sequence becomes one vector: a mean under weights that each head learns.

        weights_h = softmax_t(w_h . x_t)                  over the real positions
        weights_h = softmax_t(w_h . tanh(W x_t))          with `units`
        pooled_h  = sum_t weights_ht x_t

    and the heads' vectors stand side by side, each of the full width, so that every
    head may pick another part of the text. One head keeps the width.

    Shapes: `B` batch, `H` heads, `T` steps, `E` width.

    Args:
        num_heads: int, at least 1, `H`, the paper's `r`.
        units: int, at least 1. Width of a hidden layer before the scores, the paper's
            `d_a`; `None` scores the inputs themselves.

    Call arguments:
        inputs: float `(B, T, E)`.
        padding_mask: bool `(B, T)`. `True` = real. When `None`, the mask that Keras
            hands on with `inputs`, if any.
        return_attention_scores: bool. Also gives the weights.

    Returns:
        float `(B, H E)`; 0 for a row that is all padding. With
        `return_attention_scores` also the weights, float `(B, H, T)`, whose rows sum to
        1, or are 0 where all is padding.

    Raises:
        ValueError: `num_heads` or `units` is below 1.

    Example:
        >>> pooling = AttentionPooling(num_heads=3)
        >>> tuple(pooling(keras.random.normal((2, 7, 8))).shape)
        (2, 24)

    Source: https://arxiv.org/abs/1703.03130, section 2.1.
    """

    def __init__(self, num_heads=1, units=None, **kwargs):
        for name, size in {"num_heads": num_heads, "units": units}.items():
            if size is not None and size < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={size}"
                )
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.units = units
        self.supports_masking = True
        if units is not None:
            self.hidden_projection = self._projection(units, "hidden", "tanh")
        self.score_projection = self._projection(num_heads, "score")

    def build(self, inputs_shape):
        if self.units is not None:
            self.hidden_projection.build(inputs_shape)
            inputs_shape = (*inputs_shape[:-1], self.units)
        self.score_projection.build(inputs_shape)

    def call(self, inputs, padding_mask=None, return_attention_scores=False):
        if padding_mask is None:  # Keras hands it on under the name `mask` only
            padding_mask = getattr(inputs, "_keras_mask", None)
        if padding_mask is not None:
            padding_mask = ops.expand_dims(ops.cast(padding_mask, "bool"), 1)
        hidden = inputs if self.units is None else self.hidden_projection(inputs)
        scores = ops.transpose(self.score_projection(hidden), (0, 2, 1))  # (B, H, T)
        weights = ops.cast(masked_softmax(scores, padding_mask), self.compute_dtype)
        pooled = ops.matmul(weights, inputs)  # (B, H, E)
        pooled = ops.reshape(pooled, (-1, self.num_heads * inputs.shape[-1]))
        return (pooled, weights) if return_attention_scores else pooled

    def compute_mask(self, inputs, previous_mask=None):
        return None  # the steps are gone

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "units": self.units,
        }

    def _projection(self, width, name, activation=None):
        return keras.layers.Dense(
            width,
            use_bias=False,
            activation=activation,
            dtype=self.dtype_policy,
            name=name,
        )
