"""Families of pretrained models: what they are called, in their files and here."""

from keras_lm.models.load_pretrained import ACTIVATIONS, Layout


def encoder_arguments(config: dict, tensors: dict) -> dict:
    """Arguments of `TransformerEncoder` for a BERT, RoBERTa or ELECTRA.

    Args:
        config: of `config.json`.
        tensors: arrays by name.

    Returns:
        dictionary.

    Raises:
        ValueError: the model is of a kind that this one is not.
    """
    _refuse(
        config, position_embedding_type=("absolute", None), is_decoder=(False, None)
    )
    first_place = _first_place(config)
    has_pooler = any("pooler.dense.weight" in name for name in tensors)
    return {
        "vocabulary_size": config["vocab_size"],
        "num_layers": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "hidden_dim": config["hidden_size"],
        "intermediate_dim": config["intermediate_size"],
        "max_sequence_length": config["max_position_embeddings"] - first_place,
        "dropout": config.get("hidden_dropout_prob", 0.1),
        "num_segments": config["type_vocab_size"],
        "embedding_dim": config.get("embedding_size"),
        "pooling": "first" if has_pooler else "mean",
        "activation": _activation(config["hidden_act"]),
        "normalize_first": False,
        "epsilon": config["layer_norm_eps"],
    }


def distilbert_arguments(config: dict, tensors: dict) -> dict:
    """Arguments of `TransformerEncoder` for a DistilBERT.

    Args:
        config: of `config.json`.
        tensors: arrays by name; not used.

    Returns:
        dictionary.

    Raises:
        ValueError: its activation is unknown.
    """
    return {
        "vocabulary_size": config["vocab_size"],
        "num_layers": config["n_layers"],
        "num_heads": config["n_heads"],
        "hidden_dim": config["dim"],
        "intermediate_dim": config["hidden_dim"],
        "max_sequence_length": config["max_position_embeddings"],
        "dropout": config.get("dropout", 0.1),
        "activation": _activation(config["activation"]),
        "normalize_first": False,
        "epsilon": 1e-12,
    }


def gpt2_arguments(config: dict, tensors: dict) -> dict:
    """Arguments of `TransformerDecoder` for a GPT-2.

    Args:
        config: of `config.json`.
        tensors: arrays by name; not used.

    Returns:
        dictionary.

    Raises:
        ValueError: the model is of a kind that this one is not.
    """
    _refuse(
        config,
        layer_norm_epsilon=(1e-5, None),
        scale_attn_weights=(True, None),
        scale_attn_by_inverse_layer_idx=(False, None),
        tie_word_embeddings=(True, None),
    )
    width = config["n_embd"]
    return {
        "vocabulary_size": config["vocab_size"],
        "num_layers": config["n_layer"],
        "num_heads": config["n_head"],
        "hidden_dim": width,
        "intermediate_dim": config.get("n_inner") or 4 * width,
        "max_sequence_length": config["n_positions"],
        "dropout": config.get("resid_pdrop", 0.1),
        "positions": "learned",
        "activation": _activation(config["activation_function"]),
    }


def _first_place(config):
    """RoBERTa counts places from behind its padding token's id."""
    if config["model_type"] != "roberta":
        return 0
    return config["pad_token_id"] + 1


def _activation(name):
    if name not in ACTIVATIONS:
        raise ValueError(
            f"The activation in config.json must be one of {sorted(ACTIVATIONS)}. "
            f"Received: {name!r}"
        )
    return ACTIVATIONS[name]


def _refuse(config, **wanted):
    for name, allowed in wanted.items():
        if config.get(name) not in allowed:
            raise ValueError(
                f"`{name}` in config.json must be {allowed[0]!r}. "
                f"Received: {config[name]!r}"
            )


_BERT_LAYERS = {
    "token_embedding": "embeddings.word_embeddings",
    "position_embedding": "embeddings.position_embeddings",
    "segment_embedding": "embeddings.token_type_embeddings",
    "embedding_norm": "embeddings.LayerNorm",
    "embedding_projection": "embeddings_project",
    "block_{i}/attention/query": "encoder.layer.{i}.attention.self.query",
    "block_{i}/attention/key": "encoder.layer.{i}.attention.self.key",
    "block_{i}/attention/value": "encoder.layer.{i}.attention.self.value",
    "block_{i}/attention/output": "encoder.layer.{i}.attention.output.dense",
    "block_{i}/attention_norm": "encoder.layer.{i}.attention.output.LayerNorm",
    "block_{i}/feed_forward/inner": "encoder.layer.{i}.intermediate.dense",
    "block_{i}/feed_forward/output": "encoder.layer.{i}.output.dense",
    "block_{i}/feed_forward_norm": "encoder.layer.{i}.output.LayerNorm",
}
_WITH_POOLER = {**_BERT_LAYERS, "pooling/dense": "pooler.dense"}
_DISTILBERT_LAYERS = {
    **_BERT_LAYERS,
    "block_{i}/attention/query": "transformer.layer.{i}.attention.q_lin",
    "block_{i}/attention/key": "transformer.layer.{i}.attention.k_lin",
    "block_{i}/attention/value": "transformer.layer.{i}.attention.v_lin",
    "block_{i}/attention/output": "transformer.layer.{i}.attention.out_lin",
    "block_{i}/attention_norm": "transformer.layer.{i}.sa_layer_norm",
    "block_{i}/feed_forward/inner": "transformer.layer.{i}.ffn.lin1",
    "block_{i}/feed_forward/output": "transformer.layer.{i}.ffn.lin2",
    "block_{i}/feed_forward_norm": "transformer.layer.{i}.output_layer_norm",
}
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
ENCODERS = {
    "bert": Layout(encoder_arguments, _WITH_POOLER, "bert."),
    "roberta": Layout(encoder_arguments, _WITH_POOLER, "roberta.", skips_places=True),
    "electra": Layout(encoder_arguments, _BERT_LAYERS, "electra."),
    "distilbert": Layout(distilbert_arguments, _DISTILBERT_LAYERS, "distilbert."),
}
DECODERS = {"gpt2": Layout(gpt2_arguments, _GPT2_LAYERS, "transformer.", flat=True)}
