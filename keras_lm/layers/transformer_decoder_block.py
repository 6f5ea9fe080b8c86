"""One block of a Transformer decoder: self-attention, then a feed-forward network."""

import keras

from keras_lm.layers.feed_forward import FeedForward


@keras.saving.register_keras_serializable(package="keras_lm")
class TransformerDecoderBlock(keras.layers.Layer):
    """Causal self-attention and a feed-forward network, each added to its input.

    With normalisation first (the default, as in GPT-2), or last (as in the paper):

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

    Call arguments:
        hidden: float `(B, T, D)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real.
        training: bool. Whether dropout applies.

    Returns:
        float `(B, T, D)`.

    Example:
        >>> attention = keras_lm.layers.MultiHeadAttention(num_heads=2, key_dim=8)
        >>> block = TransformerDecoderBlock(attention, intermediate_dim=32)
        >>> tuple(block(keras.random.normal((3, 5, 16))).shape)
        (3, 5, 16)

    Source: https://arxiv.org/abs/1706.03762, section 3.1;
        https://arxiv.org/abs/2002.04745 (normalisation first).
    """

    def __init__(
        self,
        attention,
        intermediate_dim,
        activation="gelu",
        gated=False,
        normalize_first=True,
        dropout=0.0,
        epsilon=1e-5,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.attention = attention
        self.intermediate_dim = intermediate_dim
        self.normalize_first = normalize_first
        self.dropout = dropout
        self.epsilon = epsilon
        self.seed = seed
        self.supports_masking = True
        self.feed_forward = FeedForward(
            intermediate_dim,
            activation,
            gated,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.attention_norm = self._normalization("attention_norm")
        self.feed_forward_norm = self._normalization("feed_forward_norm")
        self.dropout_layer = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, hidden_shape):
        if not self.attention.built:  # from the config of a built one, it is built
            self.attention.build(hidden_shape)
        self.feed_forward.build(hidden_shape)
        self.attention_norm.build(hidden_shape)
        self.feed_forward_norm.build(hidden_shape)

    def call(self, hidden, padding_mask=None, training=None):
        def attend(x):
            x = self.attention(
                x, x, value_mask=padding_mask, use_causal_mask=True, training=training
            )
            return self.dropout_layer(x, training=training)

        hidden = self._add(hidden, attend, self.attention_norm)
        return self._add(hidden, self._feed(training), self.feed_forward_norm)

    def get_config(self):
        return {
            **super().get_config(),
            "attention": keras.saving.serialize_keras_object(self.attention),
            "intermediate_dim": self.intermediate_dim,
            "activation": keras.activations.serialize(self.feed_forward.activation),
            "gated": self.feed_forward.gated,
            "normalize_first": self.normalize_first,
            "dropout": self.dropout,
            "epsilon": self.epsilon,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        attention = keras.saving.deserialize_keras_object(config["attention"])
        return cls(**{**config, "attention": attention})

    def initial_state(self, batch_size, max_length):
        """What the attention layer keeps, for `max_length` slots."""
        return self.attention.initial_state(batch_size, max_length)

    def step(self, hidden, state, now):
        """`n` new positions; see `Attention.step`.

        Args:
            hidden: float `(B, n, D)`.
            state: as `initial_state` gives it; it is used up.
            now: what `clock.advance_clock` says of this step.

        Returns:
            `(hidden, state)`: float `(B, n, D)`, and the state after the step.
        """

        def attend(x):
            nonlocal state
            x, state = self.attention.step(x, state, now)
            return x

        hidden = self._add(hidden, attend, self.attention_norm)
        hidden = self._add(hidden, self._feed(False), self.feed_forward_norm)
        return hidden, state

    def _feed(self, training):
        def feed(x):
            x = self.feed_forward(x, training=training)
            return self.dropout_layer(x, training=training)

        return feed

    def _add(self, hidden, sublayer, norm):
        if self.normalize_first:
            return hidden + sublayer(norm(hidden))
        return norm(hidden + sublayer(hidden))

    def _normalization(self, name):
        return keras.layers.LayerNormalization(
            epsilon=self.epsilon, dtype=self.dtype_policy, name=name
        )
