"""How a `TextEmbedder` is exported: what it answers, how it is served."""

from pathlib import Path

from keras_lm.export.graph_function import graph_function
from keras_lm.export.graph_texts import (
    describe_tokenizer,
    graph_arrays,
    graph_tokenizer,
)
from keras_lm.export.reference import (
    PROBES,
    as_bytes,
    real_tokens,
    refuse_far,
    refuse_none_fits,
    refuse_not_finite,
)
from keras_lm.pipelines.text_arrays import text_arrays

CHECKER = Path(__file__).with_name("check_text_embedder.py")
# Of a number of a vector of length 1; rounding stays a hundred times below.
TOLERANCE = 1e-4


def reference(pipeline, work: Path) -> dict:
    """Texts, their token ids, and the vectors that the model gives them.

    Args:
        pipeline: `TextEmbedder`.
        work: folder for files; not used.

    Returns:
        dict: `texts` (bytes that are no UTF-8 stand as lone surrogates), `inputs` (by
        name, a list of `P` rows) and `vectors` (a list of `P` rows).

    Raises:
        ValueError: no text fits the model, or the vectors are not finite.
    """
    texts = [text for text in PROBES if _fits(pipeline, text)]
    refuse_none_fits(texts, pipeline.max_length)
    given = [as_bytes(text) for text in texts]
    vectors = pipeline(given)
    refuse_not_finite("vectors", vectors)
    arrays = text_arrays(pipeline.tokenizer, given, pipeline.max_length)
    return {"texts": texts, "inputs": real_tokens(arrays), "vectors": vectors.tolist()}


def refuse(checked: dict, expected: dict) -> float:
    """Compares what the SavedModel answered with what the model does.

    Args:
        checked: what `check_text_embedder.py` says of it.
        expected: what `reference` says of the model.

    Returns:
        float, the share of texts whose nearest other text is the same.

    Raises:
        ExportError: it does not agree.
    """
    refuse_far("vectors", checked, TOLERANCE)
    return checked["greedy_agreement"]


def saved_model_signatures(pipeline):
    """The graph from texts to vectors: see `export_saved_model`.

    Args:
        pipeline: `TextEmbedder`.

    Returns:
        `(signatures, kept)`: dict of a concrete function, and the tokenizer's graph.

    Raises:
        ExportError: the tokenizer cannot be in a graph.
    """
    tokenizer = graph_tokenizer(pipeline.tokenizer)

    def serve(text):
        arrays = graph_arrays(tokenizer, pipeline, text)
        return {"vector": _embed(pipeline, **arrays)}

    function = graph_function(serve, {"text": "string"}, [None])
    return {"serving_default": function}, tokenizer


def litert_signatures(pipeline) -> dict:
    """The graph from token ids to a vector: see `export_litert`.

    Args:
        pipeline: `TextEmbedder`.

    Returns:
        dict of a concrete function.
    """

    def embed(token_ids, padding_mask):
        return {"vector": _embed(pipeline, token_ids, padding_mask)}

    kinds = {"token_ids": "int32", "padding_mask": "bool"}
    function = graph_function(embed, kinds, [1, None])
    return {"embed": function}


def litert_description(pipeline) -> dict:
    """Names, sizes and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `TextEmbedder`.

    Returns:
        dict of plain Python.
    """
    return {
        "signatures": ["embed"],
        "max_length": pipeline.max_length,  # tokens of a text, special ones included
        "truncate": pipeline.truncate,
        "vector": {"shape": [1, pipeline.model.hidden_dim], "dtype": "float32"},
        "tokenizer": describe_tokenizer(pipeline.tokenizer),
    }


def _fits(pipeline, text):
    arrays = text_arrays(pipeline.tokenizer, [as_bytes(text)], 1 << 30)
    return arrays["token_ids"].shape[1] <= pipeline.max_length


def _embed(pipeline, token_ids, padding_mask):
    """Vectors of length 1."""
    import tensorflow as tf

    hidden = pipeline.model(token_ids, padding_mask=padding_mask, training=False)
    pooled = pipeline.model.pool(hidden, padding_mask)
    norm = tf.sqrt(tf.reduce_sum(pooled * pooled, axis=-1, keepdims=True))
    return pooled / tf.maximum(norm, 1e-12)
