"""A Transformer that reads one sequence and writes another (Vaswani et al., 2017)."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_choice
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.make_norm import make_norm
from keras_lm.models.encoder_decoder import EncoderDecoder, source_size
from keras_lm.models.encoder_decoder_layouts import ENCODER_DECODERS
from keras_lm.models.pretrained import Pretrained
from keras_lm.models.transformer_parts import (
    check_transformer,
    constructor_arguments,
    make_position_embedding,
    make_sides,
    make_token_embedding,
    places_of,
)


@keras.saving.register_keras_serializable(package="keras_lm")
class TransformerEncoderDecoder(EncoderDecoder, Pretrained):
    """Predicts each next token of a target from a source and the tokens before it.

    The encoder: token embeddings, `num_layers` blocks of self-attention to both sides
    and feed-forward networks, a last normalisation. The decoder: the same with causal
    self-attention, and attention to the encoder's output in each block; logits.

    A decode projects the source's keys and values once. `step_with_attention` gives the
    mean of the last block's heads; only its weights are then built whole.

    Shapes: `B` batch, `S` source steps, `T` target steps, `V` vocabulary.

    Args:
        vocabulary_size: int, `V`. Number of different target tokens.
        num_layers: int, at least 1. Number of blocks, of encoder and decoder each.
        num_heads: int, at least 1, divides `hidden_dim`.
        hidden_dim: int. Width of the state.
        intermediate_dim: int. Width inside the feed-forward networks; often four times
            `hidden_dim`.
        max_sequence_length: int. The longest target, start token included; with learned
            positions also the longest source.
        dropout: float, 0 to 1. Fraction dropped after the embeddings, in the attention
            weights and after each sub-layer, in training.
        attention: of the self-attentions of both sides: a short name ("multi_head"), an
            attention layer as a prototype, or a list of these that alternates over the
            blocks.
        cross_attention: the same for the attention to the source: "multi_head",
            "dynamic", "bayesian", or their layers.
        num_key_value_heads: int, divides `num_heads`. Grouped-query attention; as many
            as `num_heads` when `None`. For short names.
        positions: "rotary" (turned queries and keys of the self-attentions), "learned"
            (a vector for each place, of both sides), "sinusoidal" or `None`.
        activation: name or callable. Of the feed-forward networks.
        gated: bool. Whether the feed-forward networks are gated.
        normalize_first: bool. Normalisation before or after each sub-layer.
        share_embeddings: bool. Whether both sides have one vocabulary and embeddings.
        source_vocabulary_size: int. Number of different source tokens; `V` when `None`.
            Needs `share_embeddings=False` if it is another.
        tie_embeddings: bool. Whether logits use the target's token embeddings or a
            matrix of their own.
        outer_norm: where a side has the normalisation that no block has: "last", behind
            the blocks; "first", behind the embeddings (BART); or `None` (Marian).
        share_positions: bool. Whether both sides have one table of learned positions.
        scale_embeddings: bool. Whether token embeddings, where they are looked up, are
            multiplied by the root of `hidden_dim`, as in the paper.
        logits_bias: bool. Whether a learned number is added to each token's logits.
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
        ValueError: a size does not fit, `positions` or `outer_norm` is unknown, or
            `cross_attention` is for one sequence only.

    Example:
        >>> model = TransformerEncoderDecoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> source, target = ops.ones((3, 9), "int32"), ops.ones((3, 7), "int32")
        >>> tuple(model(source, target).shape)
        (3, 7, 100)

    Source: https://arxiv.org/abs/1706.03762;
        https://arxiv.org/abs/1608.05859 (shared embeddings).
    """

    LAYOUTS = ENCODER_DECODERS

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
        cross_attention="multi_head",
        num_key_value_heads=None,
        positions="rotary",
        activation="gelu",
        gated=False,
        normalize_first=True,
        share_embeddings=True,
        source_vocabulary_size=None,
        tie_embeddings=True,
        outer_norm="last",
        share_positions=True,
        scale_embeddings=False,
        logits_bias=False,
        seed=None,
        **kwargs,
    ):
        check_transformer(
            num_heads,
            hidden_dim,
            positions,
            vocabulary_size=vocabulary_size,
            num_layers=num_layers,
            max_sequence_length=max_sequence_length,
        )
        num_source_tokens = source_size(
            vocabulary_size, source_vocabulary_size, share_embeddings
        )
        check_choice("outer_norm", outer_norm, ("last", "first", None))
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.max_sequence_length = max_sequence_length
        self.dropout = dropout
        self.attention = attention
        self.cross_attention = cross_attention
        self.num_key_value_heads = num_key_value_heads
        self.positions = positions
        self.activation = keras.activations.get(activation)
        self.gated = gated
        self.normalize_first = normalize_first
        self.share_embeddings = share_embeddings
        self.source_vocabulary_size = source_vocabulary_size
        self.tie_embeddings = tie_embeddings
        self.outer_norm = outer_norm
        self.share_positions = share_positions
        self.scale_embeddings = scale_embeddings
        self.logits_bias = logits_bias
        self.seed = seed

        policy = self.dtype_policy
        self.token_embedding = make_token_embedding(
            vocabulary_size, hidden_dim, tie_embeddings, policy, "token_embedding"
        )
        self.source_embedding = None
        if not share_embeddings:
            self.source_embedding = make_token_embedding(
                num_source_tokens, hidden_dim, True, policy, "source_embedding"
            )
        self.position_embedding = make_position_embedding(
            positions, max_sequence_length, hidden_dim, policy, "position_embedding"
        )
        self.source_position_embedding = None
        if positions == "learned" and not share_positions:
            name = "source_position_embedding"
            self.source_position_embedding = make_position_embedding(
                positions, max_sequence_length, hidden_dim, policy, name
            )
        self.dropout_layer = Dropout(dropout, seed=seed, dtype=policy)
        self.encoder_blocks, self.decoder_blocks = make_sides(
            attention,
            cross_attention,
            (num_layers, num_heads, hidden_dim, dropout),
            positions,
            (intermediate_dim, activation, gated, normalize_first, dropout),
            num_key_value_heads,
            seed,
            policy,
        )
        self.encoder_norm = self.decoder_norm = None
        if outer_norm is not None:
            self.encoder_norm, self.decoder_norm = (
                make_norm(policy, name) for name in ("encoder_norm", "decoder_norm")
            )
        self.build((None, None))

    def build(self, token_ids_shape):
        hidden_shape = (None, None, self.hidden_dim)
        self.token_embedding.build(token_ids_shape)
        for embedding in (
            self.source_embedding,
            self.position_embedding,
            self.source_position_embedding,
        ):
            if embedding is not None:
                embedding.build(token_ids_shape)
        for block in (*self.encoder_blocks, *self.decoder_blocks):
            block.build(hidden_shape)
        if self.outer_norm is not None:
            self.encoder_norm.build(hidden_shape)
            self.decoder_norm.build(hidden_shape)
        if self.logits_bias:
            shape = (self.vocabulary_size,)
            self.token_bias = self.add_weight(shape, "zeros", name="logits_bias")
        self.built = True

    def get_config(self):
        own = constructor_arguments(self, TransformerEncoderDecoder)
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        attentions = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("attention", "cross_attention")
        }
        return super().from_config({**config, **attentions})

    def encode(self, token_ids, padding_mask=None, training=None):
        embedding = self.source_embedding or self.token_embedding
        positions = self.source_position_embedding or self.position_embedding
        places = positions, places_of(token_ids, padding_mask, positions)
        hidden = self._embed(token_ids, embedding, *places, self.encoder_norm, training)
        for block in self.encoder_blocks:
            hidden = block(hidden, padding_mask=padding_mask, training=training)
        return self._behind_blocks(hidden, self.encoder_norm)

    def decode(self, token_ids, source, source_mask, padding_mask, training):
        places = places_of(token_ids, padding_mask, self.position_embedding)
        hidden = self._embed_target(token_ids, places, training)
        for block in self.decoder_blocks:
            hidden = block(
                hidden,
                padding_mask=padding_mask,
                source=source,
                source_mask=source_mask,
                training=training,
            )
        return hidden

    def remember(self, source, padding_mask, max_length):
        batch_size = ops.shape(padding_mask)[0]
        rows = [
            block.initial_state(batch_size, max_length) for block in self.decoder_blocks
        ]
        return rows, {
            "blocks": [block.remember(source) for block in self.decoder_blocks]
        }

    def advance(self, token_ids, rows, source, now, with_attention):
        hidden = self._embed_target(token_ids, now.position_ids, False)
        source_mask, after, attention = source["padding_mask"], [], None
        for block, row, memory in zip(
            self.decoder_blocks, rows, source["blocks"], strict=True
        ):
            if with_attention and block is self.decoder_blocks[-1]:
                hidden, row, weights = block.step_with_weights(
                    hidden, row, now, memory, source_mask
                )
                attention = ops.mean(ops.cast(weights, "float32"), axis=1)
            else:
                hidden, row = block.step(hidden, row, now, memory, source_mask)
            after.append(row)
        return hidden, after, attention

    def logits(self, hidden, training):
        hidden = self._behind_blocks(hidden, self.decoder_norm)
        logits = ops.cast(self.token_embedding(hidden, reverse=True), "float32")
        if self.logits_bias:
            logits = logits + ops.cast(self.token_bias, "float32")
        return logits

    def _embed_target(self, token_ids, places, training):
        tables = self.token_embedding, self.position_embedding
        return self._embed(token_ids, *tables, places, self.decoder_norm, training)

    def _embed(self, token_ids, tokens, positions, places, norm, training):
        hidden = tokens(token_ids)  # (B, T, D)
        if self.scale_embeddings:
            hidden = hidden * self.hidden_dim**0.5
        if positions is not None:
            hidden = hidden + positions(places)
        hidden = norm(hidden) if self.outer_norm == "first" else hidden
        return self.dropout_layer(hidden, training=training)

    def _behind_blocks(self, hidden, norm):
        return norm(hidden) if self.outer_norm == "last" else hidden
