"""Families of pretrained decoders: what is called what, in their files and here."""

from keras_lm.layers.local_attention import LocalAttention
from keras_lm.layers.multi_head_attention import MultiHeadAttention
from keras_lm.layers.rotary_speeds import check_rotary_scaling
from keras_lm.models.layout import Layout

_GPT2_SETTINGS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "n_layer",
    "num_heads": "n_head",
    "hidden_dim": "n_embd",
    "intermediate_dim": "n_inner",
    "max_sequence_length": "n_positions",
    "dropout": "resid_pdrop",
    "activation": "activation_function",
    "epsilon": "layer_norm_epsilon",
}
_LLAMA_SETTINGS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "num_key_value_heads": "num_key_value_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "dropout": "attention_dropout",
    "activation": "hidden_act",
    "tie_embeddings": "tie_word_embeddings",
    "epsilon": "rms_norm_eps",
}


_TRAIN_LENGTH = "original_max_position_embeddings"


def _read_gpt2(config, tensors, arguments):
    return {"intermediate_dim": config["n_inner"] or 4 * config["n_embd"]}


def _write_gpt2(model, config):
    dropouts = {"attn_pdrop": model.dropout, "embd_pdrop": model.dropout}
    return {**dropouts, **_ends(config)}


def _ends(config):
    """What starts a text is the separator that ends one, if nothing else is known."""
    end = config.get("eos_token_id")
    return {"bos_token_id": config.get("bos_token_id", end), "eos_token_id": end}


def _reads(options_of):
    """What a Llama-like `config.json` says, with the attention's own options."""

    def read(config, tensors, arguments):
        wavelength, scaling = _rotary(config)
        rotary = {"rotary_wavelength": wavelength}
        options = options_of(config) | scaling
        return rotary | _attention(config, {**arguments, **rotary}, options)

    return read


def _rotary(config):
    """Wavelength and scaling; of the files of transformers 5, or of older ones."""
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    kind = rope.pop("type", "default")
    kind = rope.pop("rope_type", kind)
    theta = float(rope.pop("rope_theta", config.get("rope_theta", 10_000.0)))
    if rope.pop("partial_rotary_factor", 1.0) != 1.0:
        raise ValueError(
            "Rotary positions in config.json must be of all features of a head. "
            f"Received: {config.get('rope_parameters') or config['rope_scaling']}"
        )
    if kind == "default":
        return theta, {}
    rope.setdefault(_TRAIN_LENGTH, config["max_position_embeddings"])
    if kind == "linear":
        del rope[_TRAIN_LENGTH]
    known = {name: value for name, value in rope.items() if value is not None}
    scaling = {"rope_type": kind, **known}
    check_rotary_scaling(scaling)
    return theta, {"rotary_scaling": scaling}


def _attention(config, arguments, options):
    """A prototype, where the attention is not what "multi_head" stands for."""
    usual_dim = arguments["hidden_dim"] // arguments["num_heads"]
    head_dim = config.get("head_dim") or usual_dim
    if not options and head_dim == usual_dim:
        return {}
    layer = LocalAttention if "window" in options else MultiHeadAttention
    attention = layer(
        arguments["num_heads"],
        head_dim,
        num_key_value_heads=arguments["num_key_value_heads"],
        dropout=arguments["dropout"],
        rotary_wavelength=arguments["rotary_wavelength"],
        seed=arguments.get("seed"),
        dtype=arguments.get("dtype"),
        **{"use_bias": False, **options},
    )
    return {"attention": attention}


def _llama_bias(config):
    return {"use_bias": True} if config.get("attention_bias") else {}


def _mistral_window(config):
    window = config["sliding_window"]
    if window is None or window >= config["max_position_embeddings"]:
        return {}
    return {"window": window}


def _qwen2_bias(config):
    return {"use_bias": True, "use_output_bias": False}


def _writes(*names):
    """What Llama-like files say of the attention, the family's own settings by name."""

    def write(model, config):
        attention, theta = model.blocks[0].attention, model.rotary_wavelength
        scaling = attention.rotary_scaling or {"rope_type": "default"}
        own = {
            "attention_bias": attention.use_bias,
            "sliding_window": getattr(attention, "window", None),
        }
        return {
            "head_dim": attention.key_dim,
            "num_key_value_heads": attention.num_key_value_heads,
            "rope_theta": theta,
            "rope_parameters": {**scaling, "rope_theta": theta},
            **{name: own[name] for name in names},
            **_ends(config),
        }

    return write


_GPT2_LAYERS = {
    "token_embedding": "wte",
    "position_embedding": "wpe",
    "block_{i}/attention/query": ("h.{i}.attn.c_attn", 0),
    "block_{i}/attention/key": ("h.{i}.attn.c_attn", 1),
    "block_{i}/attention/value": ("h.{i}.attn.c_attn", 2),
    "block_{i}/attention/output": "h.{i}.attn.c_proj",
    "block_{i}/attention_norm": "h.{i}.ln_1",
    "block_{i}/feed_forward/inner": "h.{i}.mlp.c_fc",
    "block_{i}/feed_forward/output": "h.{i}.mlp.c_proj",
    "block_{i}/feed_forward_norm": "h.{i}.ln_2",
    "final_norm": "ln_f",
}
_LLAMA_LAYERS = {
    "token_embedding": "embed_tokens",
    "token_embedding/reverse_embeddings": "lm_head.weight",
    "block_{i}/attention/query": "layers.{i}.self_attn.q_proj",
    "block_{i}/attention/key": "layers.{i}.self_attn.k_proj",
    "block_{i}/attention/value": "layers.{i}.self_attn.v_proj",
    "block_{i}/attention/output": "layers.{i}.self_attn.o_proj",
    "block_{i}/attention_norm": "layers.{i}.input_layernorm",
    "block_{i}/feed_forward/inner": "layers.{i}.mlp.gate_proj",
    "block_{i}/feed_forward/gate": "layers.{i}.mlp.up_proj",
    "block_{i}/feed_forward/output": "layers.{i}.mlp.down_proj",
    "block_{i}/feed_forward_norm": "layers.{i}.post_attention_layernorm",
    "final_norm": "norm",
}
_GPT2 = Layout(
    _GPT2_LAYERS,
    ("transformer.", ""),
    "GPT2LMHeadModel",
    _GPT2_SETTINGS,
    ours={"positions": "learned"},
    theirs={
        "scale_attn_weights": (True, None),
        "scale_attn_by_inverse_layer_idx": (False, None),
        "tie_word_embeddings": (True, None),
    },
    defaults={
        "resid_pdrop": 0.1,
        "n_inner": None,
        "layer_norm_epsilon": 1e-5,
        "bos_token_id": 50256,
        "eos_token_id": 50256,
    },
    read=_read_gpt2,
    write=_write_gpt2,
    flat=True,
)
_LLAMA = Layout(
    _LLAMA_LAYERS,
    ("model.", ""),
    "LlamaForCausalLM",
    _LLAMA_SETTINGS,
    ours={"normalization": "rms", "gated": True, "use_bias": False},
    theirs={"mlp_bias": (False, None)},
    defaults={
        "num_key_value_heads": None,
        "tie_word_embeddings": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    read=_reads(_llama_bias),
    write=_writes("attention_bias"),
)
_MISTRAL = _LLAMA._replace(
    architecture="MistralForCausalLM",
    defaults=_LLAMA.defaults | {"sliding_window": 4096},
    read=_reads(_mistral_window),
    write=_writes("sliding_window"),
)
_QWEN2 = _LLAMA._replace(
    architecture="Qwen2ForCausalLM",
    theirs={"use_sliding_window": (False, None)},
    defaults=_LLAMA.defaults | {"bos_token_id": None, "eos_token_id": None},
    read=_reads(_qwen2_bias),
    write=_writes(),
)
# The first one that can express a model is the one that it is saved as.
DECODERS = {"gpt2": _GPT2, "llama": _LLAMA, "mistral": _MISTRAL, "qwen2": _QWEN2}
