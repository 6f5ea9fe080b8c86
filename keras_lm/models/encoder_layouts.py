"""Families of pretrained encoders: what is called what, in their files and here."""

from keras_lm.models.layout import Layout

# Of models that are causal, or know places by their distance.
_ABSOLUTE = {"position_embedding_type": ("absolute", None), "is_decoder": (False, None)}
_BERT_SETTINGS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "embedding_dim": "hidden_size",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "dropout": "hidden_dropout_prob",
    "num_segments": "type_vocab_size",
    "activation": "hidden_act",
    "epsilon": "layer_norm_eps",
}
_DISTILBERT_SETTINGS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "embedding_dim": "dim",
    "hidden_dim": "dim",
    "intermediate_dim": "hidden_dim",
    "max_sequence_length": "max_position_embeddings",
    "dropout": "dropout",
    "activation": "activation",
}


def _pooling(config, tensors, arguments):
    """Whether a BERT has its pooler is seen in its weights alone."""
    has_pooler = any("pooler.dense.weight" in name for name in tensors)
    return {"pooling": "first" if has_pooler else "mean"}


def _unused_places(config):
    """RoBERTa counts places from behind its padding token's id."""
    return config["pad_token_id"] + 1


def _read_roberta(config, tensors, arguments):
    places = config["max_position_embeddings"] - _unused_places(config)
    return {"max_sequence_length": places, **_pooling(config, tensors, arguments)}


def _write_bert(model, config):
    wrong = []
    if model.num_segments < 1:
        wrong.append(f"`num_segments` must be at least 1, not {model.num_segments}")
    if model.normalize_first:
        wrong.append("`normalize_first` must be False, not True")
    if wrong:
        raise ValueError(", ".join(wrong))
    return {"attention_probs_dropout_prob": model.dropout}


def _write_roberta(model, config):
    config = {"pad_token_id": 1, **config, **_write_bert(model, config)}
    places = model.max_sequence_length + _unused_places(config)
    return {**config, "max_position_embeddings": places}


def _write_distilbert(model, config):
    return {"attention_dropout": model.dropout}


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
_LAST = {"normalize_first": False}
_BERT = Layout(
    _WITH_POOLER,
    ("", "bert."),
    "BertModel",
    _BERT_SETTINGS,
    ours=_LAST,
    theirs=_ABSOLUTE,
    defaults={"hidden_dropout_prob": 0.1},
    read=_pooling,
    write=_write_bert,
)
_ELECTRA = _BERT._replace(
    layers=_BERT_LAYERS,
    prefixes=("", "electra."),
    architecture="ElectraModel",
    settings=_BERT_SETTINGS | {"embedding_dim": "embedding_size"},
)
_DISTILBERT = Layout(
    _DISTILBERT_LAYERS,
    ("", "distilbert."),
    "DistilBertModel",
    _DISTILBERT_SETTINGS,
    ours=_LAST | {"epsilon": 1e-12},
    defaults={"dropout": 0.1},
    write=_write_distilbert,
)
_ROBERTA = _BERT._replace(
    prefixes=("", "roberta."),
    architecture="RobertaModel",
    read=_read_roberta,
    write=_write_roberta,
    unused_places=_unused_places,
)
# The first one that can express a model is the one that it is saved as.
ENCODERS = {
    "bert": _BERT,
    "electra": _ELECTRA,
    "distilbert": _DISTILBERT,
    "roberta": _ROBERTA,
}
