"""Families of pretrained encoder-decoders: what is called what, there and here."""

from keras_lm.models.layout import Layout

_SETTINGS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "encoder_layers",
    "num_heads": "encoder_attention_heads",
    "hidden_dim": "d_model",
    "intermediate_dim": "encoder_ffn_dim",
    "max_sequence_length": "max_position_embeddings",
    "dropout": "dropout",
    "activation": "activation_function",
    "scale_embeddings": "scale_embedding",
}
_SIZES = ("layers", "attention_heads", "ffn_dim")


def _read(config, tensors, arguments):
    for size in _SIZES:
        encoder, decoder = config[f"encoder_{size}"], config[f"decoder_{size}"]
        if encoder != decoder:
            raise ValueError(
                f"`decoder_{size}` in config.json must be encoder_{size}, {encoder}. "
                f"Received: {decoder}"
            )
    return {"logits_bias": "final_logits_bias" in tensors}


def _read_marian(config, tensors, arguments):
    sizes = {}
    if not config["share_encoder_decoder_embeddings"]:
        sizes = {
            "share_embeddings": False,
            "source_vocabulary_size": config["vocab_size"],
            "vocabulary_size": config["decoder_vocab_size"] or config["vocab_size"],
        }
    return _read(config, tensors, arguments) | sizes


def _write(model, config):
    """Sizes of both sides; what starts and ends a target, if not the separator."""
    ids = dict.fromkeys(["pad", "bos", "eos", "forced_eos"])
    ids["decoder_start"] = config.get("eos_token_id") or 0
    ids = {f"{name}_token_id": token_id for name, token_id in ids.items()}
    return {
        **{f"decoder_{size}": config[f"encoder_{size}"] for size in _SIZES},
        "attention_dropout": model.dropout,
        **{name: config.get(name, token_id) for name, token_id in ids.items()},
    }


def _write_marian(model, config):
    return {
        **_write(model, config),
        "share_encoder_decoder_embeddings": model.share_embeddings,
        "vocab_size": model.source_vocabulary_size or model.vocabulary_size,
        "decoder_vocab_size": model.vocabulary_size,
    }


def _name_apart(model):
    """Of the target's embeddings, where the source has its own."""
    apart = {"token_embedding": "decoder.embed_tokens"}
    return {} if model.share_embeddings else apart


def _stack(side):
    """The blocks of a side."""
    ours, theirs = f"{side}_block_{{i}}", f"{side}.layers.{{i}}"
    names = {
        f"{ours}/feed_forward/inner": f"{theirs}.fc1",
        f"{ours}/feed_forward/output": f"{theirs}.fc2",
        f"{ours}/feed_forward_norm": f"{theirs}.final_layer_norm",
    }
    for attention, their_one in (
        ("attention", "self_attn"),
        ("cross_attention", "encoder_attn"),
    ):
        names |= {
            f"{ours}/{attention}/query": f"{theirs}.{their_one}.q_proj",
            f"{ours}/{attention}/key": f"{theirs}.{their_one}.k_proj",
            f"{ours}/{attention}/value": f"{theirs}.{their_one}.v_proj",
            f"{ours}/{attention}/output": f"{theirs}.{their_one}.out_proj",
            f"{ours}/{attention}_norm": f"{theirs}.{their_one}_layer_norm",
        }
    return names


_LAYERS = {
    "token_embedding": ["shared", "decoder.embed_tokens"],
    "token_embedding/reverse_embeddings": "lm_head.weight",
    "source_embedding": ["encoder.embed_tokens"],
    "logits_bias": "final_logits_bias",
    **_stack("encoder"),
    **_stack("decoder"),
}
_MARIAN = Layout(
    _LAYERS,
    ("model.", ""),
    "MarianMTModel",
    _SETTINGS,
    ours={"positions": "sinusoidal", "normalize_first": False, "outer_norm": None},
    theirs={"tie_word_embeddings": (True, None)},
    defaults={
        "dropout": 0.1,
        "decoder_vocab_size": None,
        "share_encoder_decoder_embeddings": True,
        **dict.fromkeys(["pad_token_id", "decoder_start_token_id"], 58100),
        **dict.fromkeys(["eos_token_id", "forced_eos_token_id"], 0),
    },
    read=_read_marian,
    write=_write_marian,
    constants={"position_embedding/gain": 1.0},
    renamed=_name_apart,
)
_BART = Layout(
    {
        **_LAYERS,
        "position_embedding": "decoder.embed_positions",
        "source_position_embedding": "encoder.embed_positions",
        "encoder_norm": "encoder.layernorm_embedding",
        "decoder_norm": "decoder.layernorm_embedding",
    },
    ("model.", ""),
    "BartForConditionalGeneration",
    _SETTINGS,
    ours={
        "positions": "learned",
        "share_positions": False,
        "normalize_first": False,
        "outer_norm": "first",
    },
    theirs={
        "tie_word_embeddings": (True, None),
        # Of files that are older than transformers 4.
        "normalize_before": (False, None),
        "add_final_layer_norm": (False, None),
        "normalize_embedding": (True, None),
    },
    defaults={
        "dropout": 0.1,
        "scale_embedding": False,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "forced_eos_token_id": 2,
        "decoder_start_token_id": 2,
    },
    read=_read,
    write=_write,
    unused_places=lambda config: 2,
)
# The first one that can express a model is the one that it is saved as.
ENCODER_DECODERS = {"bart": _BART, "marian": _MARIAN}
