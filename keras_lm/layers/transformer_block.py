"""The skeleton that the blocks of a Transformer share."""

import keras

from keras_lm.layers.dropout import Dropout
from keras_lm.layers.feed_forward import FeedForward
from keras_lm.layers.make_norm import make_norm


class TransformerBlock(keras.layers.Layer):
    """Self-attention and a feed-forward network, each added to its input.

    With normalisation first (the default, as in GPT-2), or last (as in the paper):

        x = x + attention(normalize(x));   x = x + feed_forward(normalize(x))
        x = normalize(x + attention(x));   x = normalize(x + feed_forward(x))

    A final class says in its `call` which sub-layers follow one another, and whether
    the self-attention is causal.

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
        normalization: "layer" or "rms"; see `layers.make_norm`.
        use_bias: bool. Whether the feed-forward network adds biases.

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
        normalization="layer",
        use_bias=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.attention = attention
        self.intermediate_dim = intermediate_dim
        self.normalize_first = normalize_first
        self.dropout = dropout
        self.epsilon = epsilon
        self.seed = seed
        self.normalization = normalization
        self.supports_masking = True
        self.feed_forward = FeedForward(
            intermediate_dim,
            activation,
            gated,
            use_bias=use_bias,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        self.attention_norm = self.norm("attention_norm")
        self.feed_forward_norm = self.norm("feed_forward_norm")
        self.dropout_layer = Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, hidden_shape):
        if not self.attention.built:  # from the config of a built one, it is built
            self.attention.build(hidden_shape)
        self.feed_forward.build(hidden_shape)
        self.attention_norm.build(hidden_shape)
        self.feed_forward_norm.build(hidden_shape)

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
            "normalization": self.normalization,
            "use_bias": self.feed_forward.use_bias,
        }

    @classmethod
    def from_config(cls, config):
        layers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("attention", "cross_attention")
            if name in config
        }
        return cls(**{**config, **layers})

    def attend(self, hidden, padding_mask, is_causal, training):
        """Self-attention over the whole sequence, added: float `(B, T, D)`."""

        def attend(x):
            return self.attention(
                x,
                x,
                value_mask=padding_mask,
                use_causal_mask=is_causal,
                training=training,
            )

        return self.add(hidden, attend, self.attention_norm, training)

    def feed(self, hidden, training):
        """The feed-forward network, added: float `(B, T, D)`."""

        def feed(x):
            return self.feed_forward(x, training=training)

        return self.add(hidden, feed, self.feed_forward_norm, training)

    def add(self, hidden, sublayer, norm, training):
        """What a sub-layer makes of `hidden`, added to it; normalised first or last."""
        new = sublayer(norm(hidden) if self.normalize_first else hidden)
        hidden = hidden + self.dropout_layer(new, training=training)
        return hidden if self.normalize_first else norm(hidden)

    def norm(self, name):
        """A normalisation of its own for a sub-layer."""
        return make_norm(self.dtype_policy, name, self.epsilon, self.normalization)
