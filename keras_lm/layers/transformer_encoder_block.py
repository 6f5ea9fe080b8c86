"""One block of a Transformer encoder: self-attention, then a feed-forward network."""

import keras

from keras_lm.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_lm")
class TransformerEncoderBlock(TransformerBlock):
    """Self-attention to both sides and a feed-forward network, each added to its input.

    With normalisation first (the default), or last (as in the paper):

        x = x + attention(normalize(x));   x = x + feed_forward(normalize(x))
        x = normalize(x + attention(x));   x = normalize(x + feed_forward(x))

    Shapes: `B` batch, `T` steps, `D` width of the model's state.

    Args:
        attention: an attention layer of `keras_lm.layers`, for this block alone.
        intermediate_dim: int, at least 1. Width inside the feed-forward network.
        activation: name or callable. Of the feed-forward network.
        gated: bool. Whether the feed-forward network is gated.
        normalize_first: bool. Normalisation before or after.
        dropout: float, 0 to 1. Fraction of each sub-layer's output dropped in training.
        epsilon: float, above 0. Of the normalisations.
        seed: int or `None`. Of the dropout.
        **kwargs: of `TransformerBlock`: `normalization`, `use_bias`.

    Call arguments:
        hidden: float `(B, T, D)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real.
        training: bool. Whether dropout applies.

    Returns:
        float `(B, T, D)`.

    Example:
        >>> attention = keras_lm.layers.MultiHeadAttention(num_heads=2, key_dim=8)
        >>> block = TransformerEncoderBlock(attention, intermediate_dim=32)
        >>> tuple(block(keras.random.normal((3, 5, 16))).shape)
        (3, 5, 16)

    Source: https://arxiv.org/abs/1706.03762, section 3.1;
        https://arxiv.org/abs/2002.04745 (normalisation first).
    """

    def call(self, hidden, padding_mask=None, training=None):
        hidden = self.attend(hidden, padding_mask, False, training)
        return self.feed(hidden, training)
