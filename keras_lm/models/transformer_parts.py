"""What Transformer models are made of, each part in one place."""

import inspect

import keras
from keras import ops

from keras_lm.layers.arguments import check_choice, check_heads, check_sizes, seed_of
from keras_lm.layers.choose_attention import choose_attention
from keras_lm.layers.sinusoidal_embedding import SinusoidalEmbedding
from keras_lm.layers.transformer_decoder_block import TransformerDecoderBlock
from keras_lm.layers.transformer_encoder_block import TransformerEncoderBlock

POSITIONS = ("rotary", "learned", "sinusoidal", None)


def check_transformer(num_heads, hidden_dim, positions, **sizes):
    """Refuses arguments of which no Transformer can be made.

    Args:
        num_heads: int.
        hidden_dim: int.
        positions: anything.
        **sizes: ints, by the argument's name.

    Raises:
        ValueError: a size is below 1, `num_heads` does not divide `hidden_dim`, or
            `positions` is none of `POSITIONS`.
    """
    check_sizes(hidden_dim=hidden_dim, **sizes)
    check_heads(num_heads, hidden_dim)
    check_choice("positions", positions, POSITIONS)


def make_token_embedding(vocabulary_size, hidden_dim, tie_weights, policy, name):
    """A vector for each token, and logits by these or by a matrix of their own.

    Args:
        vocabulary_size: int.
        hidden_dim: int.
        tie_weights: bool. Whether logits use the vectors.
        policy: dtype policy.
        name: str.

    Returns:
        `keras.layers.ReversibleEmbedding`.
    """
    return keras.layers.ReversibleEmbedding(
        vocabulary_size,
        hidden_dim,
        tie_weights=tie_weights,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
        reverse_dtype="float32",
        dtype=policy,
        name=name,
    )


def make_position_embedding(positions, max_length, hidden_dim, policy, name):
    """A vector for each place, where it is one that is added.

    Args:
        positions: one of `POSITIONS`.
        max_length: int.
        hidden_dim: int.
        policy: dtype policy.
        name: str.

    Returns:
        `keras.layers.Embedding`, `SinusoidalEmbedding`, or `None` for the others.
    """
    if positions == "sinusoidal":
        return SinusoidalEmbedding(hidden_dim, dtype=policy, name=name)
    if positions != "learned":
        return None
    return keras.layers.Embedding(
        max_length,
        hidden_dim,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
        dtype=policy,
        name=name,
    )


def make_attentions(
    attention,
    num_layers,
    num_heads,
    hidden_dim,
    dropout,
    positions=None,
    rotary_wavelength=10_000.0,
    **arguments,
):
    """An attention layer for each block; see `layers.choose_attention`.

    Args:
        attention: what a model is given.
        num_layers: int.
        num_heads: int, divides `hidden_dim`.
        hidden_dim: int.
        dropout: float.
        positions: one of `POSITIONS`.
        rotary_wavelength: float, above 0. Of rotary positions.
        **arguments: of `choose_attention`.

    Returns:
        list of `num_layers` `Attention` layers.
    """
    return choose_attention(
        attention,
        num_layers,
        num_heads=num_heads,
        key_dim=hidden_dim // num_heads,
        dropout=dropout,
        rotary_wavelength=rotary_wavelength if positions == "rotary" else None,
        **arguments,
    )


def make_blocks(
    block_class,
    arguments,
    attentions,
    name,
    seed,
    policy,
    cross_attentions=None,
    **options,
):
    """A block for each attention layer.

    Args:
        block_class: `TransformerEncoderBlock` or `TransformerDecoderBlock`.
        arguments: tuple. What all blocks are given after their attention layer.
        attentions: list of `Attention` layers.
        name: str. The first block is `<name>_0`.
        seed: int or `None`. Of the first block.
        policy: dtype policy.
        cross_attentions: list of `Attention` layers, or `None`.
        **options: of the class.

    Returns:
        list of blocks.
    """
    others = [{}] * len(attentions)
    if cross_attentions is not None:
        others = [{"cross_attention": layer} for layer in cross_attentions]
    return [
        block_class(
            layer,
            *arguments,
            **other,
            **options,
            seed=seed_of(seed, i),
            dtype=policy,
            name=f"{name}_{i}",
        )
        for i, (layer, other) in enumerate(zip(attentions, others, strict=True))
    ]


def make_sides(
    attention,
    cross_attention,
    sizes,
    positions,
    arguments,
    num_key_value_heads,
    seed,
    policy,
):
    """The blocks of an encoder and of a decoder that attends to it.

    Args:
        attention: of the self-attentions; see `layers.choose_attention`.
        cross_attention: of the attention to the source.
        sizes: tuple: `num_layers`, `num_heads`, `hidden_dim` and `dropout`.
        positions: one of `POSITIONS`.
        arguments: tuple. What all blocks are given after their attention layer.
        num_key_value_heads: int or `None`.
        seed: int or `None`. Each layer gets one of its own.
        policy: dtype policy.

    Returns:
        `(encoder_blocks, decoder_blocks)`: lists.
    """
    num_layers = sizes[0]
    options = {"num_key_value_heads": num_key_value_heads, "dtype": policy}

    def seeds(place):
        return seed_of(seed, 1 + place * num_layers)

    encoder_attentions, decoder_attentions = (
        make_attentions(attention, *sizes, positions, seed=seeds(i), **options)
        for i in range(2)
    )
    cross_attentions = make_attentions(
        cross_attention, *sizes, name="cross_attention", seed=seeds(2), **options
    )
    encoder_blocks = make_blocks(
        TransformerEncoderBlock,
        arguments,
        encoder_attentions,
        "encoder_block",
        seeds(3),
        policy,
    )
    decoder_blocks = make_blocks(
        TransformerDecoderBlock,
        arguments,
        decoder_attentions,
        "decoder_block",
        seeds(4),
        policy,
        cross_attentions,
    )
    return encoder_blocks, decoder_blocks


def constructor_arguments(model, model_class):
    """The arguments that a model was made of, for `get_config`.

    Args:
        model: has each as an attribute of its name.
        model_class: the class whose constructor names them.

    Returns:
        dictionary of what can be written as JSON.
    """
    config = {}
    for name in inspect.signature(model_class.__init__).parameters:
        if name in ("self", "kwargs"):
            continue
        config[name] = value = getattr(model, name)
        if name == "activation":
            config[name] = keras.activations.serialize(value)
        elif name in ("attention", "cross_attention"):
            config[name] = keras.saving.serialize_keras_object(value)
    return config


def places_of(token_ids, padding_mask, table=None):
    """The place of each token in its row; padding is not counted.

    Args:
        token_ids: int `(B, T)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real.
        table: what `make_position_embedding` made.

    Returns:
        int32 `(B or 1, T)`.

    Raises:
        ValueError: there are more columns than `table` has learned places. (JAX would
            answer NaN.)
    """
    if isinstance(table, keras.layers.Embedding) and not is_symbolic():
        length = token_ids.shape[1]  # None in a graph of any length
        if length is not None and length > table.input_dim:
            raise ValueError(
                "A model of learned positions reads `max_sequence_length` tokens at "
                f"most, padding included. Wanted: at most {table.input_dim}, received: "
                f"{length}"
            )
    if padding_mask is None:
        steps = ops.arange(0, ops.shape(token_ids)[1], dtype="int32")
        return ops.expand_dims(steps, 0)  # (1, T)
    real = ops.cast(padding_mask, "int32")
    return ops.maximum(ops.cumsum(real, axis=1) - 1, 0)  # (B, T)


def is_symbolic():
    """Whether Keras asks only for shapes: what it then gives is of made-up lengths."""
    with keras.SymbolicScope() as scope:
        return scope.original_scope is not None
