"""Multi-head attention (Vaswani et al., 2017), with grouped queries."""

import keras

from keras_lm.layers.attention import Attention
from keras_lm.layers.dot_product_attention import (
    attention_weights,
    dot_product_attention,
    weighted_values,
)


@keras.saving.register_keras_serializable(package="keras_lm")
class MultiHeadAttention(Attention):
    """Each head attends to every visible key: scaled dot products, softmax, mean.

    For each head, with `q = W_q x`, `k = W_k y`, `v = W_v y`:

        weights_ts = softmax_s(q_t . k_s / sqrt(D))
        context_t  = sum_s weights_ts v_s

    and the contexts of all heads, side by side, go through one more projection.

    Differs from `keras.layers.MultiHeadAttention`: a query that sees no key gives 0 on
    every path (before the output projection), causal masks are aligned at the bottom
    right, dropout keeps the fused kernel at inference, keys and values may have fewer
    heads, and it decodes step by step. The projections are flat: its kernels are
    `(E, H D)` where Keras has `(E, H, D)`.

    Shapes: `B` batch, `H` heads, `T` query steps, `S` key steps, `D` width of a head,
    `E` widths of query, key and value.

    Args:
        num_heads: int, at least 1, `H`.
        key_dim: int, at least 1, `D`.
        value_dim: int. Width of each value head; `key_dim` when `None`.
        num_key_value_heads: int, divides `num_heads`: grouped-query attention, which
            shrinks the decoding state by `num_heads / num_key_value_heads`.
        dropout: float, 0 to 1. Fraction of attention weights dropped in training.
        use_bias: bool. Whether the four projections add a bias.
        use_output_bias: bool. Whether the last one does; `use_bias` when `None`.
        output_dim: int. Width of the output; the query's width when `None`.
        rotary_wavelength: float or `None`. Turns queries and keys by their positions
            (`RotaryEmbedding`); for self-attention only.
        rotary_scaling: dictionary or `None`. Its `scaling`, for longer texts.
        qk_norm: bool. Divides queries and keys by their root mean square, head by
            head, and learns a gain: scores cannot run away in training.
        kernel_initializer: of the projections.
        bias_initializer: of the projections.
        kernel_regularizer: of the projections.
        seed: int or `None`. Of the dropout.
        soft_cap: float, above 0. Scores `z` become `soft_cap tanh(z / soft_cap)`, so
            that no key can win by more; without the fused kernel. `None` for plain
            scores.

    Call arguments:
        query: float `(B, T, E)`.
        value: float `(B, S, E)`; `query` when `None`.
        key: float `(B, S, E)`; `value` when `None`.
        query_mask: bool `(B, T)`. `False` makes the query's context 0.
        value_mask: bool `(B, S)`. `True` = a real key.
        key_mask: bool `(B, S)`. The same; both must be `True`.
        attention_mask: bool `(T, S)`, `(B, T, S)` or `(B, H, T, S)`. `True` lets query
            `t` attend to key `s`.
        return_attention_scores: bool. Also gives the weights, built whole.
        training: bool. Whether dropout applies.
        use_causal_mask: bool. Query `t` sees key `s` when `s <= t + S - T`.

    Returns:
        float `(B, T, output_dim)`; with `return_attention_scores` also the weights,
        float `(B, H, T, S)`, whose rows sum to 1, or are 0 where nothing is visible.

    Raises:
        ValueError: a size is below 1, `num_key_value_heads` does not divide
            `num_heads`, `dropout` is not a fraction, `soft_cap` is not above 0, or a
            mask has another rank.

    Example:
        >>> attention = MultiHeadAttention(num_heads=4, key_dim=8)
        >>> hidden = keras.random.normal((2, 5, 32))
        >>> output, weights = attention(hidden, hidden, return_attention_scores=True)
        >>> tuple(output.shape), tuple(weights.shape)
        ((2, 5, 32), (2, 4, 5, 5))

    Source: https://arxiv.org/abs/1706.03762, section 3.2;
        https://arxiv.org/abs/2305.13245 (grouped queries);
        https://arxiv.org/abs/2408.00118, section 2 (`soft_cap`);
        https://arxiv.org/abs/2010.04245 (`qk_norm`).
    """

    def __init__(self, num_heads, key_dim, soft_cap=None, **kwargs):
        if soft_cap is not None and soft_cap <= 0:
            raise ValueError(
                f"`soft_cap` must be above 0, or None. Received: soft_cap={soft_cap}"
            )
        super().__init__(num_heads, key_dim, **kwargs)
        self.soft_cap = soft_cap

    def attend(self, query, key, value, visibility, training):
        if training and self.dropout > 0:
            return self.weigh(query, key, value, visibility, training)[0]
        return dot_product_attention(
            query, key, value, visibility, soft_cap=self.soft_cap
        )

    def weigh(self, query, key, value, visibility, training):
        mask = visibility.mask(_steps(query), _steps(key))
        weights = attention_weights(query, key, mask, soft_cap=self.soft_cap)
        dropped = self.dropout_layer(weights, training=training)
        return weighted_values(dropped, value), weights

    def get_config(self):
        return {**super().get_config(), "soft_cap": self.soft_cap}


def _steps(array):
    return keras.ops.shape(array)[2]
