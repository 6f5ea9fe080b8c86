"""A model's weights under the names of CTranslate2's specifications.

A name is the way to a variable: "decoder.layer.0.ffn.linear_0.weight" is
`spec.decoder.layer[0].ffn.linear_0.weight`. CTranslate2 keeps the weights of a dense
layer as `(output, input)`, Keras as `(input, output)`.
"""

import keras
import numpy as np

from keras_lm.models import TransformerDecoder


def weights_of(model, max_source_length: int = 0) -> dict[str, np.ndarray]:
    """All weights of a model that `settings_of` has let pass.

    Args:
        model: `TransformerDecoder` or `TransformerEncoderDecoder`, in float32.
        max_source_length: int. The longest source, tokens, where it is longer than the
            model's `max_sequence_length`.

    Returns:
        dict of float32 arrays, by name.
    """
    if isinstance(model, TransformerDecoder):
        blocks, norm, others = model.blocks, model.final_norm, {}
    else:
        blocks, norm = model.decoder_blocks, model.decoder_norm
        embedding = model.source_embedding or model.token_embedding
        others = {"encoder.embeddings.0.weight": _array(embedding.embeddings)}
        others |= _layer_norm("encoder.layer_norm", model.encoder_norm)
        others |= _positions("encoder", model, model.encoder_blocks, max_source_length)
        for i, block in enumerate(model.encoder_blocks):
            others |= _block(f"encoder.layer.{i}", block)
    embeddings = _array(model.token_embedding.embeddings)
    weights = {
        "decoder.embeddings.weight": embeddings,
        "decoder.projection.weight": embeddings
        if model.tie_embeddings
        else _array(model.token_embedding.reverse_embeddings).T,
        **_layer_norm("decoder.layer_norm", norm),
        **_positions("decoder", model, blocks),
        **others,
    }
    for i, block in enumerate(blocks):
        weights |= _block(f"decoder.layer.{i}", block)
        if others:
            weights |= _cross_attention(f"decoder.layer.{i}.attention", block)
    return weights


def _positions(side, model, blocks, max_length=0):
    """A vector for each place; zeros for none, for CTranslate2 would add sines."""
    if blocks[0].attention.rotary is not None:
        return {}
    if model.position_embedding is not None:
        table = _array(model.position_embedding.embeddings)
    else:
        max_length = max(max_length, model.max_sequence_length)
        table = np.zeros((max_length, model.hidden_dim), "float32")
    return {f"{side}.position_encodings.encodings": table}


def _block(name, block):
    """Self-attention and feed-forward network, with their normalisations."""
    attention, feed_forward = block.attention, block.feed_forward
    weights = {
        **_layer_norm(f"{name}.self_attention.layer_norm", block.attention_norm),
        **_dense(
            f"{name}.self_attention.linear.0",
            _dense_arrays(attention.query_projection),
            *_key_and_value(attention),
        ),
        **_dense(
            f"{name}.self_attention.linear.1",
            _dense_arrays(attention.output_projection),
        ),
        **_layer_norm(f"{name}.ffn.layer_norm", block.feed_forward_norm),
        **_dense(f"{name}.ffn.linear_0", _dense_arrays(feed_forward.inner_projection)),
        **_dense(f"{name}.ffn.linear_1", _dense_arrays(feed_forward.output_projection)),
    }
    if feed_forward.gated:
        gate = _dense_arrays(feed_forward.gate_projection)
        weights |= _dense(f"{name}.ffn.linear_0_noact", gate)
    return weights


def _cross_attention(name, block):
    attention = block.cross_attention
    query, output = attention.query_projection, attention.output_projection
    return {
        **_layer_norm(f"{name}.layer_norm", block.cross_attention_norm),
        **_dense(f"{name}.linear.0", _dense_arrays(query)),
        **_dense(f"{name}.linear.1", *_key_and_value(attention)),
        **_dense(f"{name}.linear.2", _dense_arrays(output)),
    }


def _key_and_value(attention):
    projections = attention.key_projection, attention.value_projection
    return [_dense_arrays(one) for one in projections]


def _dense(name, *parts):
    """One dense layer of several, their outputs side by side."""
    kernel, *bias = (np.concatenate(arrays, axis=-1) for arrays in zip(*parts))
    return {f"{name}.weight": kernel.T, **{f"{name}.bias": one for one in bias}}


def _dense_arrays(layer):
    """`[kernel]` or `[kernel, bias]`."""
    arrays = [layer.kernel] if layer.bias is None else [layer.kernel, layer.bias]
    return [_array(one) for one in arrays]


def _layer_norm(name, layer):
    return {f"{name}.gamma": _array(layer.gamma), f"{name}.beta": _array(layer.beta)}


def _array(variable):
    return keras.ops.convert_to_numpy(variable).astype("float32")
