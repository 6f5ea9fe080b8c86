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
        return _decoder(model, model.blocks, model.final_norm)
    decoder = _decoder(model, model.decoder_blocks, model.decoder_norm)
    return decoder | _encoder(model, max_source_length)


def _encoder(model, max_source_length):
    embedding = model.source_embedding or model.token_embedding
    blocks, norm = model.encoder_blocks, model.encoder_norm
    weights = {
        "encoder.embeddings.0.weight": _array(embedding.embeddings),
        **_positions("encoder", model, blocks, max_source_length),
        **_layer_norm("encoder.layer_norm", norm),
    }
    for i, block in enumerate(blocks):
        weights |= _block(f"encoder.layer.{i}", block)
    return weights


def _decoder(model, blocks, norm):
    embedding = model.token_embedding
    embeddings = logits = _array(embedding.embeddings)
    if not model.tie_embeddings:
        logits = _array(embedding.reverse_embeddings).T
    weights = {
        "decoder.embeddings.weight": embeddings,
        "decoder.projection.weight": logits,
        **_positions("decoder", model, blocks),
        **_layer_norm("decoder.layer_norm", norm),
    }
    for i, block in enumerate(blocks):
        name = f"decoder.layer.{i}"
        weights |= _block(name, block)
        if block.cross_attention is not None:
            weights |= _cross_attention(f"{name}.attention", block)
    return weights


def _positions(side, model, blocks, max_length=0):
    """A vector for each place; zeros for none, for CTranslate2 would add sines."""
    if blocks[0].attention.rotary is not None:
        return {}
    max_length = max(max_length, model.max_sequence_length)
    if model.positions == "learned":
        table = _array(model.position_embedding.embeddings)
    elif model.positions == "sinusoidal":
        table = _array(model.position_embedding(np.arange(max_length)))
    else:
        table = np.zeros((max_length, model.hidden_dim), "float32")
    return {f"{side}.position_encodings.encodings": table}


def _block(name, block):
    """Self-attention and feed-forward network, with their normalisations."""
    query, key_and_value, output = _attention(block.attention, block.attention_norm)
    network = block.feed_forward
    weights = {
        **_layer_norm(f"{name}.self_attention.layer_norm", block.attention_norm),
        **_dense(f"{name}.self_attention.linear.0", query, *key_and_value),
        **_dense(f"{name}.self_attention.linear.1", output),
        **_head_norms(f"{name}.self_attention", block.attention),
        **_layer_norm(f"{name}.ffn.layer_norm", block.feed_forward_norm),
        **_dense(f"{name}.ffn.linear_0", _arrays(network.inner_projection)),
        **_dense(f"{name}.ffn.linear_1", _arrays(network.output_projection)),
    }
    if network.gated:
        weights |= _dense(
            f"{name}.ffn.linear_0_noact", _arrays(network.gate_projection)
        )
    return weights


def _cross_attention(name, block):
    norm = block.cross_attention_norm
    query, key_and_value, output = _attention(block.cross_attention, norm)
    return {
        **_layer_norm(f"{name}.layer_norm", norm),
        **_dense(f"{name}.linear.0", query),
        **_dense(f"{name}.linear.1", *key_and_value),
        **_dense(f"{name}.linear.2", output),
    }


def _attention(attention, norm):
    """Arrays of queries, of keys and values, of the output.

    CTranslate2 has one epsilon for all normalisations, `qk_norm` included. Dividing by
    the root mean square undoes a factor: with it the epsilon is in effect our own.
    """
    query, key = _arrays(attention.query_projection), _arrays(attention.key_projection)
    if attention.qk_norm:
        factor = np.float32(np.sqrt(norm.epsilon / attention.query_norm.epsilon))
        query, key = ([factor * one for one in arrays] for arrays in (query, key))
    value = _arrays(attention.value_projection)
    return query, (key, value), _arrays(attention.output_projection)


def _head_norms(name, attention):
    if not attention.qk_norm:
        return {}
    return {
        f"{name}.q_norm.gamma": _array(attention.query_norm.scale),
        f"{name}.k_norm.gamma": _array(attention.key_norm.scale),
    }


def _dense(name, *parts):
    """One dense layer of several, their outputs side by side."""
    kernel, *bias = (np.concatenate(arrays, axis=-1) for arrays in zip(*parts))
    return {f"{name}.weight": kernel.T, **{f"{name}.bias": one for one in bias}}


def _arrays(layer):
    """`[kernel]` or `[kernel, bias]`."""
    arrays = [layer.kernel] if layer.bias is None else [layer.kernel, layer.bias]
    return [_array(one) for one in arrays]


def _layer_norm(name, layer):
    if isinstance(layer, keras.layers.RMSNormalization):
        return {f"{name}.gamma": _array(layer.scale)}
    return {f"{name}.gamma": _array(layer.gamma), f"{name}.beta": _array(layer.beta)}


def _array(variable):
    return keras.ops.convert_to_numpy(variable).astype("float32")
