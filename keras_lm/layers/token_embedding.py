"""Tokens as vectors, with their places."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class TokenEmbedding(keras.layers.Layer):
    """A learned vector for each token, and one for each place, added.

        hidden_t = E[token_t] + P[t]

    Shapes: `B` batch, `T` steps, `V` vocabulary, `D` hidden width.

    Args:
        vocabulary_size: int, at least 1, `V`.
        max_length: int, at least 1. The longest text, tokens.
        hidden_dim: int, at least 1, `D`.

    Call arguments:
        token_ids: int `(B, T)`, with `T` at most `max_length`.

    Returns:
        float `(B, T, D)`.

    Raises:
        ValueError: a size is below 1, or a text is longer than `max_length`.

    Example:
        >>> embed = TokenEmbedding(vocabulary_size=50, max_length=9, hidden_dim=16)
        >>> tuple(embed(ops.ones((2, 7), "int32")).shape)
        (2, 7, 16)

    Source: https://arxiv.org/abs/1705.03122, section 3.1.
    """

    def __init__(self, vocabulary_size, max_length, hidden_dim, **kwargs):
        sizes = {
            "vocabulary_size": vocabulary_size,
            "max_length": max_length,
            "hidden_dim": hidden_dim,
        }
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={size}"
                )
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.max_length = max_length
        self.hidden_dim = hidden_dim
        self.tokens, self.places = (
            keras.layers.Embedding(
                number,
                hidden_dim,
                embeddings_initializer=keras.initializers.RandomNormal(stddev=stddev),
                dtype=self.dtype_policy,
                name=name,
            )
            for name, number, stddev in (
                ("tokens", vocabulary_size, 1 / hidden_dim**0.5),
                ("places", max_length, 0.02),
            )
        )

    def build(self, token_ids_shape):
        self.tokens.build(token_ids_shape)
        self.places.build(token_ids_shape)

    def call(self, token_ids):
        self.compute_output_shape(token_ids.shape)
        places = ops.arange(0, ops.shape(token_ids)[1], dtype="int32")
        return self.tokens(token_ids) + ops.expand_dims(self.places(places), 0)

    # With this, Keras does not try out an unknown length with a number of its own.
    def compute_output_shape(self, token_ids_shape):
        batch, length = token_ids_shape
        if isinstance(length, int) and length > self.max_length:
            raise ValueError(
                f"A text must have at most max_length={self.max_length} tokens. "
                f"Received: token_ids of shape {tuple(token_ids_shape)}"
            )
        return (batch, length, self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "max_length": self.max_length,
            "hidden_dim": self.hidden_dim,
        }
