"""From hidden states back to tokens: the last layers of a masked language model."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class TokenHead(keras.layers.Layer):
    """Logits of tokens by the vectors that embed them, as in BERT.

        logits = E norm(activation(W hidden + b)) + bias

    Shapes: `B` batch, `T` steps, `D` width of the state, `E` of the embeddings, `V`
    vocabulary.

    Args:
        vocabulary_size: int, `V`.
        embedding_dim: int, `E`.
        activation: name or callable.
        epsilon: float, above 0. Of the normalisation.

    Call arguments:
        hidden: float `(B, T, D)`.
        token_embedding: `keras.layers.ReversibleEmbedding` of `(V, E)`, which belongs
            to a model. By keyword.

    Returns:
        float32 `(B, T, V)`.

    Source: https://arxiv.org/abs/1810.04805, section 3.1.
    """

    def __init__(
        self, vocabulary_size, embedding_dim, activation="gelu", epsilon=1e-5, **kwargs
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.activation = keras.activations.get(activation)
        self.epsilon = epsilon
        policy = self.dtype_policy
        self.dense = keras.layers.Dense(
            embedding_dim, self.activation, dtype=policy, name="dense"
        )
        self.norm = keras.layers.LayerNormalization(
            epsilon=epsilon, dtype=policy, name="norm"
        )

    def build(self, hidden_shape):
        self.dense.build(hidden_shape)
        self.norm.build((*hidden_shape[:-1], self.embedding_dim))
        self.bias = self.add_weight(
            name="bias",
            shape=(self.vocabulary_size,),
            initializer="zeros",
            autocast=False,  # logits are float32 whatever the policy
        )
        self.built = True

    def call(self, hidden, token_embedding):
        hidden = self.norm(self.dense(hidden))  # (B, T, E)
        logits = ops.cast(token_embedding(hidden, reverse=True), "float32")
        return logits + self.bias  # (B, T, V)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "activation": keras.activations.serialize(self.activation),
            "epsilon": self.epsilon,
        }


def at_positions(hidden, positions):
    """The states at some positions.

    Args:
        hidden: float `(B, T, D)`.
        positions: int `(B, P)`, below `T`; `None` for all.

    Returns:
        float `(B, P, D)`.
    """
    if positions is None:
        return hidden
    positions = ops.expand_dims(ops.cast(positions, "int32"), -1)  # (B, P, 1)
    return ops.take_along_axis(hidden, positions, axis=1)
