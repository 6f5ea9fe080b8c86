"""An LSTM language model, as for Penn Treebank."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_dropout, check_sizes, seed_of
from keras_lm.layers.clock import advance_clock, start_clock
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.lstm import LSTM
from keras_lm.models.quantized_layers import made_from, quantized_layers


@keras.saving.register_keras_serializable(package="keras_lm")
class LSTMLanguageModel(keras.Model):
    r"""Predicts each next token from those before it, by layers of LSTMs.

    Token embeddings, `num_layers` LSTMs one on the other, and logits. Dropout stands
    before each layer and before the logits, not between the steps (Zaremba et al.).

    Its state has one size however long the text: `generation` shows it a token at a
    time, and `training.ConsecutiveSegments` trains it on texts longer than a batch.

    Shapes: `B` batch, `T` steps, `V` vocabulary.

    Args:
        vocabulary_size: int, `V`. Number of different tokens.
        embedding_dim: int. Width of the token embeddings. Vectors that are known are
            put in as the example shows, before or without training.
        hidden_dim: int. Width of the LSTMs.
        num_layers: int, at least 1. Number of LSTMs.
        dropout: float, 0 to 1. Fraction dropped before each layer, in training.
        tie_embeddings: bool. Whether logits use the token embeddings; the last LSTM
            is then `embedding_dim` wide. Otherwise they have weights of their own.
        max_sequence_length: int. The longest text that is generated, prompt and answer
            together, tokens. Training has no limit.
        seed: int or `None`. Of the dropout.

    Call arguments:
        token_ids: int `(B, T)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real. Padding may stand
            anywhere; it is seen by no one.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, T, V)`: logits of the token after each position.

    Raises:
        ValueError: a size is below 1, or `dropout` is not a fraction.

    Example:
        >>> model = LSTMLanguageModel(
        ...     vocabulary_size=100, embedding_dim=8, hidden_dim=16, num_layers=2)
        >>> tuple(model(keras.ops.ones((3, 7), "int32")).shape)
        (3, 7, 100)

        Word vectors from a file, in the form of word2vec or GloVe; the words that it
        does not know keep theirs:

        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "vectors.txt")
        >>> _ = path.write_text("to 1 2\nbe 3 4\n")
        >>> model = LSTMLanguageModel(3, embedding_dim=2, hidden_dim=4, num_layers=1)
        >>> own = model.token_embedding.get_weights()[0]
        >>> known = keras_lm.text.read_word_vectors(path, ["to", "?", "be"], own)
        2 of 3 words (66.7 %) have a vector of width 2.
        >>> model.token_embedding.set_weights([known])

    Source: https://arxiv.org/abs/1409.2329;
        https://arxiv.org/abs/1608.05859 (tied embeddings).
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        hidden_dim,
        num_layers,
        dropout=0.0,
        tie_embeddings=False,
        max_sequence_length=1024,
        seed=None,
        **kwargs,
    ):
        check_sizes(
            vocabulary_size=vocabulary_size,
            embedding_dim=embedding_dim,
            hidden_dim=hidden_dim,
            num_layers=num_layers,
            max_sequence_length=max_sequence_length,
        )
        check_dropout(dropout)
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.dropout = dropout
        self.tie_embeddings = tie_embeddings
        self.max_sequence_length = max_sequence_length
        self.seed = seed

        policy = self.dtype_policy
        embedding = {
            "embeddings_initializer": keras.initializers.RandomUniform(-0.1, 0.1),
            "dtype": policy,
            "name": "token_embedding",
        }
        self.logits_layer = None
        if tie_embeddings:
            self.token_embedding = keras.layers.ReversibleEmbedding(
                vocabulary_size, embedding_dim, reverse_dtype="float32", **embedding
            )
        else:
            self.token_embedding = keras.layers.Embedding(
                vocabulary_size, embedding_dim, **embedding
            )
            self.logits_layer = keras.layers.Dense(
                vocabulary_size, dtype=policy, name="logits"
            )
        widths = [hidden_dim] * num_layers
        if tie_embeddings:
            widths[-1] = embedding_dim
        self.lstms = [
            LSTM(width, dtype=policy, name=f"lstm_{i}")
            for i, width in enumerate(widths)
        ]
        self.dropouts = [
            Dropout(dropout, seed=seed_of(seed, i), dtype=policy)
            for i in range(num_layers + 1)
        ]
        self.build((None, None))

    def build(self, token_ids_shape):
        self.token_embedding.build(token_ids_shape)
        width = self.embedding_dim
        for lstm in self.lstms:
            lstm.build((None, None, width))
            width = lstm.units
        if self.logits_layer is not None:
            self.logits_layer.build((None, None, width))
        self.built = True

    def call(self, token_ids, padding_mask=None, training=None):
        rows = self.empty_rows(ops.shape(token_ids)[0])
        return self.read(token_ids, rows, padding_mask, training)[0]

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "dropout": self.dropout,
            "tie_embeddings": self.tie_embeddings,
            "max_sequence_length": self.max_sequence_length,
            "seed": self.seed,
            **quantized_layers(self),
        }

    @classmethod
    def from_config(cls, config):
        return made_from(cls, config)

    def initial_state(self, inputs, max_length):
        """An empty state for decoding.

        Args:
            inputs: int or int scalar tensor: the batch size, `B`.
            max_length: int. Number of slots, padding included.

        Returns:
            `{"clock": .., "rows": [a state for each LSTM]}`; see `layers.clock`.
        """
        return {
            "clock": start_clock(inputs, max_length),
            "rows": self.empty_rows(inputs),
        }

    def step(self, token_ids, state, padding_mask=None, last_only=False):
        """Logits after `n` more tokens.

        Args:
            token_ids: int32 `(B, n)`.
            state: as `initial_state` or `step` gave it; it is used up.
            padding_mask: bool `(B, n)` or `None`. `True` = real. Padding leaves the
                state as it was.
            last_only: bool. Logits of the last position only, `(B, 1, V)`.

        Returns:
            `(logits, state)`: float32 `(B, n, V)`, and the state after the step.
        """
        num_positions = ops.shape(token_ids)[1]
        clock, now = advance_clock(state["clock"], num_positions, padding_mask)
        hidden, rows = self._hidden(token_ids, state["rows"], now.padding_mask, False)
        if last_only:
            hidden = hidden[:, -1:]
        return self._logits(hidden, False), {"clock": clock, "rows": rows}

    def empty_rows(self, batch_size):
        """The states of the LSTMs before the first token.

        Args:
            batch_size: int or int scalar tensor, `B`.

        Returns:
            list of `{"hidden": (B, U), "cell": (B, U)}`, zeros.
        """
        return [lstm.initial_state(batch_size) for lstm in self.lstms]

    def read(self, token_ids, rows, padding_mask=None, training=None):
        """The call, from a state on.

        Args:
            token_ids: int `(B, T)`.
            rows: as `empty_rows` or `read` gave them.
            padding_mask: bool `(B, T)` or `None`. `True` = real.
            training: bool. Whether dropout applies.

        Returns:
            `(logits, rows)`: float32 `(B, T, V)`, and the states after the last token.
        """
        hidden, rows = self._hidden(token_ids, rows, padding_mask, training)
        return self._logits(hidden, training), rows

    def _hidden(self, token_ids, rows, padding_mask, training):
        hidden = self.token_embedding(token_ids)  # (B, T, E)
        after = []
        for lstm, dropout, row in zip(
            self.lstms, self.dropouts[:-1], rows, strict=True
        ):
            hidden = dropout(hidden, training=training)
            hidden, row = lstm(hidden, padding_mask=padding_mask, state=row)
            after.append(row)
        return hidden, after

    def _logits(self, hidden, training):
        hidden = self.dropouts[-1](hidden, training=training)
        if self.logits_layer is None:
            logits = self.token_embedding(hidden, reverse=True)
        else:
            logits = self.logits_layer(hidden)
        return ops.cast(logits, "float32")  # (B, T, V)
