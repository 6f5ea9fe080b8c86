"""A Transformer decoder: the language model of the GPT family."""

import keras
from keras import ops

from keras_lm.layers.arguments import seed_of
from keras_lm.layers.clock import advance_clock, start_clock
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.make_norm import make_norm
from keras_lm.layers.transformer_decoder_block import TransformerDecoderBlock
from keras_lm.models.decoder_layouts import DECODERS
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
class TransformerDecoder(keras.Model, Pretrained):
    """Predicts each next token from those before it.

    Token embeddings, `num_layers` blocks of causal self-attention and feed-forward
    networks, a last normalisation, and logits by the token embeddings again.

    Shapes: `B` batch, `T` steps, `V` vocabulary.

    Args:
        vocabulary_size: int, `V`. Number of different tokens.
        num_layers: int, at least 1. Number of blocks.
        num_heads: int, at least 1, divides `hidden_dim`.
        hidden_dim: int. Width of the model's state.
        intermediate_dim: int. Width inside the feed-forward networks; four times
            `hidden_dim` is usual.
        max_sequence_length: int. The longest text, prompt and answer together, tokens.
        dropout: float, 0 to 1. Fraction dropped after the embedding, in the attention
            weights and after each sub-layer, in training.
        attention: a short name ("multi_head"), an attention layer as a prototype, or a
            list of these that alternates over the blocks.
        num_key_value_heads: int, divides `num_heads`. Grouped-query attention; as many
            as `num_heads` when `None`. For short names.
        positions: "rotary" (turned queries and keys), "learned" (a vector for each
            place, as in GPT-2), "sinusoidal" or `None`.
        activation: name or callable. Of the feed-forward networks.
        gated: bool. Whether the feed-forward networks are gated.
        normalize_first: bool. Normalisation before or after each sub-layer.
        tie_embeddings: bool. Whether logits use the token embeddings or a matrix of
            their own.
        normalization: "layer" or "rms" (root mean square alone, as in Llama).
        epsilon: float, above 0. Of the normalisations.
        use_bias: bool. Whether attention, for short names, and feed-forward networks
            add biases.
        rotary_wavelength: float, above 0. Of rotary positions, for short names; larger
            values suit longer texts.
        seed: int or `None`. Of the dropout.

    Call arguments:
        token_ids: int `(B, T)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real. Padding may stand
            anywhere; it is seen by no one.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, T, V)`: logits of the token after each position.

    Raises:
        ValueError: a size does not fit, or `positions` or `normalization` is unknown.

    Example:
        >>> model = TransformerDecoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> tuple(model(keras.ops.ones((3, 7), "int32")).shape)
        (3, 7, 100)

    Source: https://arxiv.org/abs/1706.03762;
        https://openai.com/research/language-unsupervised (GPT);
        https://arxiv.org/abs/2302.13971 (Llama).
    """

    LAYOUTS = DECODERS

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
        num_key_value_heads=None,
        positions="rotary",
        activation="gelu",
        gated=False,
        normalize_first=True,
        tie_embeddings=True,
        normalization="layer",
        epsilon=1e-5,
        use_bias=True,
        rotary_wavelength=10_000.0,
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
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.max_sequence_length = max_sequence_length
        self.dropout = dropout
        self.attention = attention
        self.num_key_value_heads = num_key_value_heads
        self.positions = positions
        self.activation = keras.activations.get(activation)
        self.gated = gated
        self.normalize_first = normalize_first
        self.tie_embeddings = tie_embeddings
        self.normalization = normalization
        self.epsilon = epsilon
        self.use_bias = use_bias
        self.rotary_wavelength = rotary_wavelength
        self.seed = seed

        policy = self.dtype_policy
        self.token_embedding = make_token_embedding(
            vocabulary_size, hidden_dim, tie_embeddings, policy, "token_embedding"
        )
        self.position_embedding = make_position_embedding(
            positions, max_sequence_length, hidden_dim, policy, "position_embedding"
        )
        self.dropout_layer = Dropout(dropout, seed=seed, dtype=policy)
        attentions = make_attentions(
            attention,
            num_layers,
            num_heads,
            hidden_dim,
            dropout,
            positions,
            rotary_wavelength,
            num_key_value_heads=num_key_value_heads,
            use_bias=use_bias,
            seed=seed_of(seed, 1),
            dtype=policy,
        )
        self.blocks = make_blocks(
            TransformerDecoderBlock,
            (intermediate_dim, activation, gated, normalize_first, dropout, epsilon),
            attentions,
            "block",
            seed_of(seed, 1 + num_layers),
            policy,
            normalization=normalization,
            use_bias=use_bias,
        )
        self.final_norm = make_norm(policy, "final_norm", epsilon, normalization)
        self.build((None, None))

    def build(self, token_ids_shape):
        hidden_shape = (None, None, self.hidden_dim)
        self.token_embedding.build(token_ids_shape)
        if self.position_embedding is not None:
            self.position_embedding.build(token_ids_shape)
        for block in self.blocks:
            block.build(hidden_shape)
        self.final_norm.build(hidden_shape)
        self.built = True

    def call(self, token_ids, padding_mask=None, training=None):
        if padding_mask is not None:
            padding_mask = ops.cast(padding_mask, "bool")
        places = places_of(token_ids, padding_mask, self.position_embedding)
        hidden = self._embed(token_ids, places, training)
        for block in self.blocks:
            hidden = block(hidden, padding_mask=padding_mask, training=training)
        return self._logits(hidden)

    def get_config(self):
        own = constructor_arguments(self, TransformerDecoder)
        return {**super().get_config(), **own, **quantized_layers(self)}

    @classmethod
    def from_config(cls, config):
        attention = keras.saving.deserialize_keras_object(config["attention"])
        return made_from(cls, {**config, "attention": attention})

    def initial_state(self, inputs, max_length):
        """An empty state for decoding.

        Args:
            inputs: int or int scalar tensor: the batch size, `B`.
            max_length: int. Number of slots, padding included.

        Returns:
            `{"clock": .., "rows": [a state for each block]}`; see `layers.clock`.
        """
        return {
            "clock": start_clock(inputs, max_length),
            "rows": [block.initial_state(inputs, max_length) for block in self.blocks],
        }

    def step(self, token_ids, state, padding_mask=None, last_only=False):
        """Logits after `n` more tokens.

        Args:
            token_ids: int32 `(B, n)`.
            state: as `initial_state` or `step` gave it; it is used up.
            padding_mask: bool `(B, n)` or `None`. `True` = real. Padding changes
                nothing that a real token sees.
            last_only: bool. Logits of the last position only, `(B, 1, V)`.

        Returns:
            `(logits, state)`: float32 `(B, n, V)`, and the state after the step.
        """
        num_positions = ops.shape(token_ids)[1]
        clock, now = advance_clock(state["clock"], num_positions, padding_mask)
        hidden = self._embed(token_ids, now.position_ids, training=False)
        rows = []
        for block, block_state in zip(self.blocks, state["rows"], strict=True):
            hidden, block_state = block.step(hidden, block_state, now)
            rows.append(block_state)
        if last_only:
            hidden = hidden[:, -1:]
        return self._logits(hidden), {"clock": clock, "rows": rows}

    def _embed(self, token_ids, position_ids, training):
        hidden = self.token_embedding(token_ids)  # (B, T, D)
        if self.position_embedding is not None:
            hidden = hidden + self.position_embedding(position_ids)
        return self.dropout_layer(hidden, training=training)

    def _logits(self, hidden):
        logits = self.token_embedding(self.final_norm(hidden), reverse=True)
        return ops.cast(logits, "float32")  # (B, T, V)
