"""A Transformer encoder: the text reader of the BERT family."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_choice, seed_of
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.make_norm import make_norm
from keras_lm.layers.text_pooling import KINDS, TextPooling
from keras_lm.layers.transformer_encoder_block import TransformerEncoderBlock
from keras_lm.models.encoder_layouts import ENCODERS
from keras_lm.models.pretrained import Pretrained
from keras_lm.models.quantized_layers import made_from, quantized_layers
from keras_lm.models.transformer_parts import (
    check_transformer,
    constructor_arguments,
    make_attentions,
    make_blocks,
    make_position_embedding,
    make_token_embedding,
    places_of,
)


@keras.saving.register_keras_serializable(package="keras_lm")
class TransformerEncoder(keras.Model, Pretrained):
    """Gives each token a vector that knows the tokens on both sides of it.

    Token embeddings, with those of places and segments, `num_layers` blocks of
    self-attention to both sides and feed-forward networks. One normalisation stands
    behind the blocks (`normalize_first`) or behind the embeddings, as in BERT.

    `pool(hidden, padding_mask)` makes one vector of a text. Heads for tasks are models
    of their own.

    Shapes: `B` batch, `T` steps, `D` width of the model's state.

    Args:
        vocabulary_size: int. Number of different tokens.
        num_layers: int, at least 1. Number of blocks.
        num_heads: int, at least 1, divides `hidden_dim`.
        hidden_dim: int, `D`.
        intermediate_dim: int. Width inside the feed-forward networks; four times
            `hidden_dim` is usual.
        max_sequence_length: int. The longest text, tokens; a limit where positions are
            learned.
        dropout: float, 0 to 1. Fraction dropped after the embeddings, in the attention
            weights and after each sub-layer, in training.
        attention: a short name ("multi_head"), an attention layer as a prototype, or a
            list of these that alternates over the blocks.
        positions: "learned" (a vector for each place, as in BERT), "sinusoidal",
            "rotary" (turned queries and keys) or `None`.
        num_segments: int. Number of different segments, as question and context; 0 for
            a model that knows none.
        embedding_dim: int. Width of the embeddings, if another than `D` (ELECTRA); a
            dense layer is then between.
        pooling: "mean", "first" or "attention": of `pool`, a `layers.TextPooling`.
        activation: name or callable. Of the feed-forward networks.
        gated: bool. Whether the feed-forward networks are gated.
        normalize_first: bool. Normalisation before or after each sub-layer.
        epsilon: float, above 0. Of the normalisations.
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
        ValueError: a size does not fit, `positions` or `pooling` is unknown, or
            segments are given to a model that knows none.

    Example:
        >>> model = TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> hidden = model(keras.ops.ones((3, 7), "int32"))
        >>> tuple(hidden.shape), tuple(model.pool(hidden).shape)
        ((3, 7, 16), (3, 16))

    Source: https://arxiv.org/abs/1810.04805; https://arxiv.org/abs/1706.03762.
    """

    LAYOUTS = ENCODERS

    def __init__(
        self,
        vocabulary_size,
        num_layers,
        num_heads,
        hidden_dim,
        intermediate_dim,
        max_sequence_length,
        dropout=0.0,
        attention="multi_head",
        positions="learned",
        num_segments=0,
        embedding_dim=None,
        pooling="mean",
        activation="gelu",
        gated=False,
        normalize_first=True,
        epsilon=1e-5,
        seed=None,
        **kwargs,
    ):
        embedding_dim = hidden_dim if embedding_dim is None else embedding_dim
        check_transformer(
            num_heads,
            hidden_dim,
            positions,
            vocabulary_size=vocabulary_size,
            num_layers=num_layers,
            max_sequence_length=max_sequence_length,
            embedding_dim=embedding_dim,
        )
        if num_segments < 0:
            raise ValueError(
                "`num_segments` must be at least 0. "
                f"Received: num_segments={num_segments}"
            )
        check_choice("pooling", pooling, KINDS)
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.max_sequence_length = max_sequence_length
        self.dropout = dropout
        self.attention = attention
        self.positions = positions
        self.num_segments = num_segments
        self.embedding_dim = embedding_dim
        self.pooling = pooling
        self.activation = keras.activations.get(activation)
        self.gated = gated
        self.normalize_first = normalize_first
        self.epsilon = epsilon
        self.seed = seed

        policy = self.dtype_policy
        self.token_embedding = make_token_embedding(
            vocabulary_size, embedding_dim, True, policy, "token_embedding"
        )
        self.position_embedding = make_position_embedding(
            positions, max_sequence_length, embedding_dim, policy, "position_embedding"
        )
        self.segment_embedding = None
        if num_segments:
            self.segment_embedding = make_position_embedding(
                "learned", num_segments, embedding_dim, policy, "segment_embedding"
            )
        self.dropout_layer = Dropout(dropout, seed=seed, dtype=policy)
        self.embedding_projection = None
        if embedding_dim != hidden_dim:
            self.embedding_projection = keras.layers.Dense(
                hidden_dim, dtype=policy, name="embedding_projection"
            )
        attentions = make_attentions(
            attention,
            num_layers,
            num_heads,
            hidden_dim,
            dropout,
            positions,
            seed=seed_of(seed, 1),
            dtype=policy,
        )
        self.blocks = make_blocks(
            TransformerEncoderBlock,
            (intermediate_dim, activation, gated, normalize_first, dropout, epsilon),
            attentions,
            "block",
            seed_of(seed, 1 + num_layers),
            policy,
        )
        name = "final_norm" if normalize_first else "embedding_norm"
        self.norm = make_norm(policy, name, epsilon)
        self.pool = TextPooling(pooling, dtype=policy, name="pooling")
        self.build((None, None))

    def build(self, token_ids_shape):
        embedded_shape = (None, None, self.embedding_dim)
        hidden_shape = (None, None, self.hidden_dim)
        for layer in (
            self.token_embedding,
            self.position_embedding,
            self.segment_embedding,
        ):
            if layer is not None:
                layer.build(token_ids_shape)
        if self.embedding_projection is not None:
            self.embedding_projection.build(embedded_shape)
        for block in self.blocks:
            block.build(hidden_shape)
        self.norm.build(hidden_shape if self.normalize_first else embedded_shape)
        self.pool.build(hidden_shape)
        self.built = True

    def call(self, token_ids, padding_mask=None, segment_ids=None, training=None):
        if padding_mask is not None:
            padding_mask = ops.cast(padding_mask, "bool")
        hidden = self.embed(token_ids, padding_mask, segment_ids)
        hidden = self.dropout_layer(hidden, training=training)
        if self.embedding_projection is not None:
            hidden = self.embedding_projection(hidden)  # (B, T, D)
        for block in self.blocks:
            hidden = block(hidden, padding_mask=padding_mask, training=training)
        return self.norm(hidden) if self.normalize_first else hidden

    def get_config(self):
        own = constructor_arguments(self, TransformerEncoder)
        return {**super().get_config(), **own, **quantized_layers(self)}

    @classmethod
    def from_config(cls, config):
        attention = keras.saving.deserialize_keras_object(config["attention"])
        return made_from(cls, {**config, "attention": attention})

    def embed(self, token_ids, padding_mask=None, segment_ids=None):
        """What the first block reads, before dropout and before any projection.

        Args:
            token_ids: int `(B, T)`.
            padding_mask: bool `(B, T)` or `None`. `True` = real.
            segment_ids: int `(B, T)` or `None`.

        Returns:
            float `(B, T, E)`: vectors of tokens, places and segments, added; normalised
            where no normalisation stands behind the blocks.
        """
        hidden = self.token_embedding(token_ids)  # (B, T, E)
        if self.position_embedding is not None:
            places = places_of(token_ids, padding_mask, self.position_embedding)
            hidden = hidden + self.position_embedding(places)
        if self.segment_embedding is not None:
            if segment_ids is None:
                segment_ids = ops.zeros_like(token_ids)
            hidden = hidden + self.segment_embedding(segment_ids)
        elif segment_ids is not None:
            raise ValueError(
                "`segment_ids` need a model of `num_segments`. "
                "Received: segment_ids, and num_segments=0"
            )
        return hidden if self.normalize_first else self.norm(hidden)
