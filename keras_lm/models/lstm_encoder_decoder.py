"""LSTMs that read one sequence and write another, with attention between them."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_sizes, seed_of
from keras_lm.layers.lstm_decoder import LSTMDecoder
from keras_lm.layers.lstm_encoder import LSTMEncoder
from keras_lm.models.encoder_decoder import EncoderDecoder, source_size


@keras.saving.register_keras_serializable(package="keras_lm")
class LSTMEncoderDecoder(EncoderDecoder):
    """Predicts each next token of a target from a source and the tokens before it.

    An `LSTMEncoder` reads the source; what its layers end with, through a dense layer
    each, is what the layers of an `LSTMDecoder` start with; its outputs give logits.

    The source's keys are projected once for a target. Where the decoder looks decides
    what goes step by step, see `LSTMDecoder`: "luong" without input feeding trains
    fastest.

    Shapes: `B` batch, `S` source steps, `T` target steps, `V` vocabulary.

    Args:
        vocabulary_size: int, `V`. Number of different target tokens.
        embedding_dim: int. Width of the token embeddings.
        hidden_dim: int. Width of each LSTM; the encoder has two a layer if
            `bidirectional`.
        num_layers: int, at least 1. Layers of LSTMs, of encoder and decoder each.
        dropout: float, 0 to 1. Fraction dropped before each layer and before the
            logits, in training.
        bidirectional: bool. Whether the encoder reads the source backwards as well.
        attention: "bahdanau" (looks before each step), "luong" (after it) or `None`:
            all that is known of the source must go through the decoder's first state.
        input_feeding: bool. Whether "luong" is fed what it last saw. The others do not
            ask.
        share_embeddings: bool. Whether source and target have one vocabulary and its
            embeddings.
        source_vocabulary_size: int. Number of different source tokens; `V` when `None`.
            Needs `share_embeddings=False` if it is another.
        tie_embeddings: bool. Whether logits use the target's token embeddings; the
            decoder's output is then `embedding_dim` wide. Otherwise they have weights
            of their own.
        max_sequence_length: int. The longest target that is generated, start token
            included. Training has no limit, and the source has none.
        seed: int or `None`. Of the dropout.

    Call arguments:
        encoder_token_ids: int `(B, S)`, the source; or a dictionary of all arrays, as
            in a dataset for `fit`.
        decoder_token_ids: int `(B, T)`, the target: a start token, and its tokens but
            the last.
        encoder_padding_mask: bool `(B, S)` or `None`. `True` = real. Padding may stand
            anywhere; it is seen by no one.
        decoder_padding_mask: bool `(B, T)` or `None`. `True` = real.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, T, V)`: logits of the target token after each position.

    Raises:
        ValueError: a size does not fit, `dropout` is not a fraction, or `attention` is
            unknown; or attention is asked for where there is none.

    Example:
        >>> model = LSTMEncoderDecoder(
        ...     vocabulary_size=100, embedding_dim=8, hidden_dim=16)
        >>> source, target = ops.ones((3, 9), "int32"), ops.ones((3, 7), "int32")
        >>> tuple(model(source, target).shape)
        (3, 7, 100)

    Source: https://arxiv.org/abs/1409.0473; https://arxiv.org/abs/1508.04025.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        hidden_dim,
        num_layers=1,
        dropout=0.0,
        bidirectional=True,
        attention="bahdanau",
        input_feeding=True,
        share_embeddings=False,
        source_vocabulary_size=None,
        tie_embeddings=False,
        max_sequence_length=256,
        seed=None,
        **kwargs,
    ):
        check_sizes(
            vocabulary_size=vocabulary_size,
            embedding_dim=embedding_dim,
            max_sequence_length=max_sequence_length,
        )
        num_source_tokens = source_size(
            vocabulary_size, source_vocabulary_size, share_embeddings
        )
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.attention = attention
        self.input_feeding = input_feeding
        self.share_embeddings = share_embeddings
        self.source_vocabulary_size = source_vocabulary_size
        self.tie_embeddings = tie_embeddings
        self.max_sequence_length = max_sequence_length
        self.seed = seed

        policy = self.dtype_policy
        kind = keras.layers.Embedding
        if tie_embeddings:
            kind = keras.layers.ReversibleEmbedding
        self.token_embedding = kind(
            vocabulary_size,
            embedding_dim,
            embeddings_initializer=keras.initializers.RandomUniform(-0.1, 0.1),
            dtype=policy,
            name="token_embedding",
            **({"reverse_dtype": "float32"} if tie_embeddings else {}),
        )
        self.source_embedding = None
        if not share_embeddings:
            self.source_embedding = keras.layers.Embedding(
                num_source_tokens,
                embedding_dim,
                embeddings_initializer=keras.initializers.RandomUniform(-0.1, 0.1),
                dtype=policy,
                name="source_embedding",
            )
        self.encoder = LSTMEncoder(
            hidden_dim,
            num_layers,
            bidirectional,
            dropout,
            seed,
            dtype=policy,
            name="encoder",
        )
        self.hidden_bridges, self.cell_bridges = (
            [
                keras.layers.Dense(hidden_dim, "tanh", dtype=policy, name=f"{name}_{i}")
                for i in range(num_layers)
            ]
            for name in ("hidden_bridge", "cell_bridge")
        )
        self.decoder = LSTMDecoder(
            hidden_dim,
            num_layers,
            attention,
            input_feeding,
            embedding_dim if tie_embeddings else hidden_dim,
            dropout,
            seed=seed_of(seed, num_layers),
            dtype=policy,
            name="decoder",
        )
        self.logits_layer = None
        if not tie_embeddings:
            self.logits_layer = keras.layers.Dense(
                vocabulary_size, dtype=policy, name="logits"
            )
        self.build((None, None))

    def build(self, token_ids_shape):
        self.token_embedding.build(token_ids_shape)
        if self.source_embedding is not None:
            self.source_embedding.build(token_ids_shape)
        embedded = (None, None, self.embedding_dim)
        self.encoder.build(embedded)
        width = self.hidden_dim * (2 if self.bidirectional else 1)
        for bridge in (*self.hidden_bridges, *self.cell_bridges):
            bridge.build((None, width))
        self.decoder.build(embedded, (None, None, width))
        if self.logits_layer is not None:
            self.logits_layer.build((None, None, self.hidden_dim))
        self.built = True

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "dropout": self.dropout,
            "bidirectional": self.bidirectional,
            "attention": self.attention,
            "input_feeding": self.input_feeding,
            "share_embeddings": self.share_embeddings,
            "source_vocabulary_size": self.source_vocabulary_size,
            "tie_embeddings": self.tie_embeddings,
            "max_sequence_length": self.max_sequence_length,
            "seed": self.seed,
        }

    def encode(self, token_ids, padding_mask=None, training=None):
        embedding = self.source_embedding or self.token_embedding
        states, last = self.encoder(
            embedding(token_ids), padding_mask=padding_mask, training=training
        )
        lstms = [
            {"hidden": to_hidden(state["hidden"]), "cell": to_cell(state["cell"])}
            for to_hidden, to_cell, state in zip(
                self.hidden_bridges, self.cell_bridges, last, strict=True
            )
        ]
        return {"states": states, "rows": self.decoder.initial_state(lstms)}

    def remember(self, source, padding_mask, max_length):
        if self.attention is None:
            return source["rows"], {}
        memory = self.decoder.remember(source["states"], padding_mask)
        return source["rows"], {"memory": memory}

    def decode(self, token_ids, source, source_mask, padding_mask, training):
        memory = self.decoder.remember(source["states"], source_mask)
        return self._read(token_ids, memory, source["rows"], padding_mask, training)[0]

    def advance(self, token_ids, rows, source, now, with_attention):
        if with_attention and self.attention is None:
            raise ValueError(
                "A model must have attention to say where it looked. "
                "Received: attention=None"
            )
        hidden, rows, weights = self._read(
            token_ids, source.get("memory"), rows, now.padding_mask, False
        )
        return hidden, rows, ops.cast(weights, "float32") if with_attention else None

    def logits(self, hidden, training):
        if self.logits_layer is None:
            logits = self.token_embedding(hidden, reverse=True)
        else:
            logits = self.logits_layer(hidden)
        return ops.cast(logits, "float32")  # (B, T, V)

    def _read(self, token_ids, memory, rows, padding_mask, training):
        return self.decoder(
            self.token_embedding(token_ids),
            memory,
            rows,
            padding_mask=padding_mask,
            training=training,
        )
