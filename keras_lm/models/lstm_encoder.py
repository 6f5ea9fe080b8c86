"""An encoder of LSTMs that read a text in both directions."""

import keras
from keras import ops

from keras_lm.layers import lstm_encoder
from keras_lm.layers.arguments import check_choice, check_sizes
from keras_lm.layers.text_pooling import KINDS, TextPooling
from keras_lm.models.quantized_layers import made_from, quantized_layers


# The layer inside has the same name.
@keras.saving.register_keras_serializable(package="keras_lm", name="LSTMEncoderModel")
class LSTMEncoder(keras.Model):
    """Gives each token a vector that knows the tokens on both sides of it, by LSTMs.

    Token embeddings, with those of segments, and `num_layers` layers of two LSTMs, of
    which one reads forwards and one backwards (`layers.LSTMEncoder`); their states
    side by side are what the next layer reads.

    It is called as `TransformerEncoder` is, and takes its place in
    `SequenceClassifier`, `MaskedLanguageModel` and the pipelines. Its cost grows with
    the length of a text, not the square of it, but it goes step by step.

    Shapes: `B` batch, `T` steps, `D` width of the model's state.

    Args:
        vocabulary_size: int. Number of different tokens.
        embedding_dim: int. Width of the token embeddings. Vectors that are known go in
            by `text.read_word_vectors`.
        hidden_dim: int, even, `D`. Half of it is one direction's.
        num_layers: int, at least 1. Layers of two LSTMs.
        dropout: float, 0 to 1. Fraction dropped before each layer, in training.
        num_segments: int. Number of different segments, as question and context; 0 for
            a model that knows none.
        pooling: "mean", "first" or "attention": of `pool`, a `layers.TextPooling`.
        max_sequence_length: int. The longest text that pipelines read, tokens; the
            model itself has no limit.
        seed: int or `None`. Of the dropout.

    Call arguments:
        token_ids: int `(B, T)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real. Padding may stand
            anywhere; it is seen by no one.
        segment_ids: int `(B, T)`, below `num_segments`; all 0 when `None`.
        training: bool. Whether dropout applies.

    Returns:
        float `(B, T, D)`.

    Raises:
        ValueError: a size does not fit, `dropout` is not a fraction, `pooling` is
            unknown, or segments are given to a model that knows none.

    Example:
        >>> model = LSTMEncoder(
        ...     vocabulary_size=100, embedding_dim=8, hidden_dim=16, num_layers=2)
        >>> hidden = model(keras.ops.ones((3, 7), "int32"))
        >>> tuple(hidden.shape), tuple(model.pool(hidden).shape)
        ((3, 7, 16), (3, 16))

    Source: https://arxiv.org/abs/1802.05365, section 3.1;
        https://doi.org/10.1109/78.650093 (both directions).
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        hidden_dim,
        num_layers=1,
        dropout=0.0,
        num_segments=0,
        pooling="mean",
        max_sequence_length=512,
        seed=None,
        **kwargs,
    ):
        check_sizes(
            vocabulary_size=vocabulary_size,
            embedding_dim=embedding_dim,
            hidden_dim=hidden_dim,
            max_sequence_length=max_sequence_length,
        )
        if hidden_dim % 2:
            raise ValueError(
                "`hidden_dim` must be even, half of it for each direction. "
                f"Received: hidden_dim={hidden_dim}"
            )
        if num_segments < 0:
            raise ValueError(
                "`num_segments` must be at least 0. "
                f"Received: num_segments={num_segments}"
            )
        check_choice("pooling", pooling, KINDS)
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.dropout = dropout
        self.num_segments = num_segments
        self.pooling = pooling
        self.max_sequence_length = max_sequence_length
        self.seed = seed

        policy = self.dtype_policy
        self.token_embedding = keras.layers.ReversibleEmbedding(
            vocabulary_size,
            embedding_dim,
            embeddings_initializer=keras.initializers.RandomUniform(-0.1, 0.1),
            reverse_dtype="float32",
            dtype=policy,
            name="token_embedding",
        )
        self.segment_embedding = None
        if num_segments:
            self.segment_embedding = keras.layers.Embedding(
                num_segments,
                embedding_dim,
                embeddings_initializer=keras.initializers.RandomUniform(-0.1, 0.1),
                dtype=policy,
                name="segment_embedding",
            )
        self.lstms = lstm_encoder.LSTMEncoder(
            hidden_dim // 2,
            num_layers,
            dropout=dropout,
            seed=seed,
            dtype=policy,
            name="lstms",
        )
        self.pool = TextPooling(pooling, dtype=policy, name="pooling")
        self.build((None, None))

    def build(self, token_ids_shape):
        if self.built:
            return
        self.token_embedding.build(token_ids_shape)
        if self.segment_embedding is not None:
            self.segment_embedding.build(token_ids_shape)
        self.lstms.build((None, None, self.embedding_dim))
        self.pool.build((None, None, self.hidden_dim))
        self.built = True

    def call(self, token_ids, padding_mask=None, segment_ids=None, training=None):
        hidden = self.embed(token_ids, padding_mask, segment_ids)  # (B, T, E)
        states, _ = self.lstms(hidden, padding_mask=padding_mask, training=training)
        return states  # (B, T, D)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "dropout": self.dropout,
            "num_segments": self.num_segments,
            "pooling": self.pooling,
            "max_sequence_length": self.max_sequence_length,
            "seed": self.seed,
            **quantized_layers(self),
        }

    @classmethod
    def from_config(cls, config):
        return made_from(cls, config)

    def embed(self, token_ids, padding_mask=None, segment_ids=None):
        """What the first layer reads, before dropout.

        Args:
            token_ids: int `(B, T)`.
            padding_mask: bool `(B, T)` or `None`: not looked at, as nothing depends on
                a place.
            segment_ids: int `(B, T)` or `None`.

        Returns:
            float `(B, T, E)`: vectors of tokens and segments, added.

        Raises:
            ValueError: segments are given to a model that knows none.
        """
        hidden = self.token_embedding(token_ids)
        if self.segment_embedding is not None:
            if segment_ids is None:
                segment_ids = ops.zeros_like(token_ids)
            return hidden + self.segment_embedding(segment_ids)
        if segment_ids is not None:
            raise ValueError(
                "`segment_ids` need a model of `num_segments`. "
                "Received: segment_ids, and num_segments=0"
            )
        return hidden
