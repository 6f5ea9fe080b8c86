"""Attention that adapts to the number of visible keys (Su, 2021; Nakanishi, 2025)."""

import math

import keras
from keras import ops

from keras_lm.layers.attention import Attention
from keras_lm.layers.dot_product_attention import (
    attention_weights,
    dot_product_attention,
    weighted_values,
)

LENGTH_SCALINGS = ("ssmax", "log", "log_clip")


@keras.saving.register_keras_serializable(package="keras_lm")
class DynamicAttention(Attention):
    """Sharpens its softmax as the text grows, so that long texts do not blur it.

    With `n_t` the number of keys that query `t` sees (padding not counted):

        weights_ts = softmax_s(f(n_t) q_t . k_s / sqrt(D))

        f(n) = log n / log n0                   "log", 1 at the training length `n0`
        f(n) = max(1, log n / log n0)           "log_clip", plain up to `n0`
        f(n) = a_h log n + b_h                  "ssmax", learned by each head

    Plain softmax spreads over more keys the more there are; a factor that grows with
    `log n` keeps its entropy. The factor multiplies the query, so the fused kernel is
    used as ever. (To multiply the weights by the length and normalise them again, as is
    sometimes printed, changes nothing: a constant cancels.)

    Shapes: `B` batch, `H` heads, `T` query steps, `S` key steps, `D` width of a head,
    `E` widths of query, key and value.

    Args:
        num_heads: int, at least 1, `H`.
        key_dim: int, at least 1, `D`.
        length_scaling: "ssmax", "log" or "log_clip". The last may be switched on for
            trained weights: nothing changes up to `train_length`.
        train_length: int, at least 2, `n0`. The length that training sees.
        **kwargs: of `Attention`, such as `num_key_value_heads` or `dropout`.

    Call arguments:
        query: float `(B, T, E)`; and all others of `MultiHeadAttention`.

    Returns:
        float `(B, T, output_dim)`; with `return_attention_scores` also the weights,
        float `(B, H, T, S)`, whose rows sum to 1, or are 0 where nothing is visible.

    Raises:
        ValueError: `length_scaling` is unknown, or `train_length` is below 2.

    Example:
        >>> attention = DynamicAttention(num_heads=4, key_dim=8, train_length=128)
        >>> hidden = keras.random.normal((2, 5, 32))
        >>> tuple(attention(hidden, use_causal_mask=True).shape)
        (2, 5, 32)

    Source: https://kexue.fm/archives/8823 ("log");
        https://arxiv.org/abs/2501.19399, equation 2 ("ssmax").
    """

    def __init__(
        self, num_heads, key_dim, length_scaling="ssmax", train_length=512, **kwargs
    ):
        if length_scaling not in LENGTH_SCALINGS:
            raise ValueError(
                f"`length_scaling` must be one of {list(LENGTH_SCALINGS)}. "
                f"Received: length_scaling={length_scaling!r}"
            )
        if train_length < 2:
            raise ValueError(
                f"`train_length` must be at least 2. Received: "
                f"train_length={train_length}"
            )
        super().__init__(num_heads, key_dim, **kwargs)
        self.length_scaling = length_scaling
        self.train_length = train_length

    def build(self, query_shape, value_shape=None, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        if self.length_scaling == "ssmax":
            first_slope = keras.initializers.Constant(1 / math.log(self.train_length))
            self.slope = self.add_weight(
                name="slope", shape=(self.num_heads,), initializer=first_slope
            )
            self.offset = self.add_weight(
                name="offset", shape=(self.num_heads,), initializer="zeros"
            )

    def attend(self, query, key, value, visibility, training):
        if training and self.dropout > 0:
            return self.weigh(query, key, value, visibility, training)[0]
        query = self._sharpened(query, key, visibility)
        return dot_product_attention(query, key, value, visibility)

    def weigh(self, query, key, value, visibility, training):
        mask = visibility.mask(ops.shape(query)[2], ops.shape(key)[2])
        query = self._sharpened(query, key, visibility)
        weights = attention_weights(query, key, mask)
        dropped = self.dropout_layer(weights, training=training)
        return weighted_values(dropped, value), weights

    def get_config(self):
        return {
            **super().get_config(),
            "length_scaling": self.length_scaling,
            "train_length": self.train_length,
        }

    def _sharpened(self, query, key, visibility):
        """The queries, each times `f` of the number of keys that it sees."""
        seen = visibility.num_visible(ops.shape(query)[2], ops.shape(key)[2])
        log_n = ops.log(ops.maximum(seen, 1.0))  # (B or 1, H or 1, T or 1)
        if self.length_scaling == "ssmax":
            slope, offset = (
                ops.reshape(ops.cast(weight, "float32"), (1, -1, 1))
                for weight in (self.slope, self.offset)
            )
            factor = slope * log_n + offset  # (B or 1, H, T or 1)
        else:
            factor = log_n / math.log(self.train_length)
            if self.length_scaling == "log_clip":
                factor = ops.maximum(factor, 1.0)
        return query * ops.cast(ops.expand_dims(factor, -1), query.dtype)
