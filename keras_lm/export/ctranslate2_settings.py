"""What CTranslate2 is told of a model, and which models it cannot run."""

import keras

from keras_lm.export.export_error import ExportError
from keras_lm.export.reference import refuse_pretrained
from keras_lm.layers import MultiHeadAttention, gelu_tanh
from keras_lm.models import TransformerDecoder, TransformerEncoderDecoder
from keras_lm.pipelines import TextGenerator, TextToText

MODELS = {TextGenerator: TransformerDecoder, TextToText: TransformerEncoderDecoder}

# Keras' functions by CTranslate2's names; Keras' "gelu" is the exact one.
ACTIVATIONS = {
    keras.activations.relu: "RELU",
    keras.activations.silu: "SWISH",
    keras.activations.gelu: "GELU",
    gelu_tanh: "GELUTanh",
    keras.activations.tanh: "Tanh",
}


def settings_of(pipeline) -> dict:
    """The arguments of CTranslate2's specifications.

    Args:
        pipeline: `TextGenerator` or `TextToText`.

    Returns:
        dict of plain Python: `decoder` and, of an encoder-decoder, `encoder`, each with
        the arguments of its specification; and `layer_norm_epsilon`.

    Raises:
        TypeError: it is no such pipeline.
        ValueError: its model is quantised.
        ExportError: CTranslate2 has no setting for what the model does, and the text
            says for what; or the tokenizer is not SentencePiece.
    """
    model = _model_of(pipeline)
    if isinstance(model, TransformerDecoder):
        refuse_pretrained(pipeline.tokenizer)
        decoder = _stack(model, model.blocks) | {"with_encoder_attention": False}
        if model.normalization == "rms":
            decoder["rms_norm"] = True
        return {
            "decoder": decoder,
            "layer_norm_epsilon": model.final_norm.epsilon,
        }
    _check_ends(model)
    decoder = _stack(model, model.decoder_blocks, ["attention", "cross_attention"])
    # Where it looked is said as `step_with_attention` does: the mean of all heads.
    heads = {"alignment_layer": -1, "alignment_heads": decoder["num_heads"]}
    return {
        "encoder": _stack(model, model.encoder_blocks),
        "decoder": decoder | heads,
        "layer_norm_epsilon": model.decoder_norm.epsilon,
    }


def _model_of(pipeline):
    kinds = [kind for kind in MODELS if isinstance(pipeline, kind)]
    if not kinds:
        raise TypeError(
            "`pipeline` must be a `keras_lm.pipelines` object, "
            + " or ".join(kind.__name__ for kind in MODELS)
            + f". Received: {pipeline!r} of type {type(pipeline).__name__}"
        )
    model, wanted = pipeline.model, MODELS[kinds[0]]
    if type(model) is not wanted:
        raise ExportError(
            f"The model of a {kinds[0].__name__} must be a {wanted.__name__}: "
            f"CTranslate2 runs no other. Received: {type(model).__name__}"
        )
    for layer in model._flatten_layers(include_self=False):
        if layer.dtype_policy.quantization_mode is not None:
            raise ValueError(
                "The pipeline's model must not be quantised already; `quantization=` "
                f"does it. Received: {layer.name} with policy "
                f"{layer.dtype_policy.name!r}"
            )
    return model


def _check_ends(model):
    """Refuses what stands before or behind the blocks and is not written (yet)."""
    for setting, wanted in [
        ("outer_norm", "last"),
        ("share_positions", True),
        ("scale_embeddings", False),
        ("logits_bias", False),
    ]:
        value = getattr(model, setting)
        if value != wanted:
            raise ExportError(
                f"`{setting}` must be {wanted!r} for an export to CTranslate2. "
                f"Received: {setting}={value!r}"
            )


def _stack(model, blocks, names=("attention",)):
    """The arguments that encoders and decoders share."""
    places = [(block, name) for block in blocks for name in names]
    for block, name in places:
        _check_attention(block, name, isinstance(model, TransformerDecoder))
    attentions = [getattr(block, name) for block, name in places]
    num_heads = _common("num_heads", attentions)
    head_dim = _common("key_dim", attentions)
    wavelength = _common("rotary_wavelength", [block.attention for block in blocks])
    if wavelength is not None and model.position_embedding is not None:
        raise ExportError(
            "Positions must be added or rotary for CTranslate2, not both. Received: "
            f"positions={model.positions!r}, and attention with "
            f"rotary_wavelength={wavelength}"
        )
    settings = {
        "num_layers": len(blocks),
        "num_heads": num_heads,
        "num_heads_kv": _common("num_key_value_heads", attentions),
        "qk_norm": _common("qk_norm", attentions),
        "pre_norm": model.normalize_first,
        "activation": _activation(model.activation),
        "ffn_glu": model.gated,
    }
    if head_dim * num_heads != model.hidden_dim:
        settings["head_dim"] = head_dim
    if wavelength is not None:
        # All features of a head are turned; pairs are a half of the head apart.
        settings |= {"rotary_dim": 0, "rotary_interleave": False}
        settings["rotary_base"] = float(wavelength)
    return settings


def _check_attention(block, name, alone):
    """Refuses what CTranslate2's attention cannot do."""
    attention = getattr(block, name)
    if type(attention) is not MultiHeadAttention:
        raise ExportError(
            "The attention must be multi-head attention: CTranslate2 runs no other. "
            f"Received: `{name}` of {block.name} is {type(attention).__name__}"
        )
    faults = [
        ("soft_cap", attention.soft_cap, None),
        ("value_dim", attention.value_dim, attention.key_dim),
        ("rotary_scaling", attention.rotary_scaling, None),
    ]
    if not alone:  # to a source, CTranslate2 4.8.5 divides all heads' queries as one
        faults.append(("qk_norm", attention.qk_norm, False))
    for setting, value, wanted in faults:
        if value != wanted:
            raise ExportError(
                f"`{setting}` of the attention must be {wanted} for CTranslate2. "
                f"Received: {setting}={value!r} in `{name}` of {block.name}"
            )


def _common(name, attentions):
    """The one value that all have: CTranslate2 has one number for a side."""
    values = [getattr(attention, name) for attention in attentions]
    if len(set(values)) > 1:
        raise ExportError(
            f"`{name}` must be the same in all blocks, and in attention to a source, "
            f"for CTranslate2. Received: {name}={values}"
        )
    return values[0]


def _activation(function):
    if function not in ACTIVATIONS:
        names = sorted(known.__name__ for known in ACTIVATIONS)
        raise ExportError(
            f"`activation` must be one of {names} for CTranslate2. Received: "
            f"activation={getattr(function, '__name__', function)!r}"
        )
    return ACTIVATIONS[function]
