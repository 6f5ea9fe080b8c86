"""How a `WordSense` is exported: the vectors of words and glosses, how it is served."""

import numpy as np

from keras_lm.export import text_embedder_kind
from keras_lm.export.graph_marked_texts import graph_marked_arrays
from keras_lm.export.graph_texts import describe_tokenizer, graph_tokenizer
from keras_lm.export.reference import PROBES
from keras_lm.pipelines.marked_arrays import marked_arrays
from keras_lm.text.marked_texts import MARKS

# Its exports give vectors as an embedder's do.
CHECKER = text_embedder_kind.CHECKER
_MARKED = (
    "the [[bank]] of a river",
    "[[中文]]，再加一些字",
    "a [[👩‍👧]] and ]] [[ more",
    "bad \udcff [[byt\udc80es]]",
)


def reference(pipeline, work) -> dict:
    """Texts, some with a marked word, their tokens, and the vectors of the model.

    Args:
        pipeline: `WordSense`.
        work: folder for files; not used.

    Returns:
        dict: `texts` (bytes that are no UTF-8 stand as lone surrogates), `token_ids`,
        `words` (for each the places of its word's first token and of the one behind the
        last) and `vectors` (lists of `P` rows).

    Raises:
        ValueError: no text fits the model, or the vectors are not finite.
    """
    texts = [text for text in (*_MARKED, *PROBES) if _fits(pipeline, text)]
    if not texts:
        raise ValueError(
            "Texts of a few tokens must fit the pipeline to be exported. "
            f"Received: max_length={pipeline.max_length}"
        )
    given = [_bytes(text) for text in texts]
    vectors = pipeline.vectors(given)
    if not np.isfinite(vectors).all():
        raise ValueError(
            "The model's vectors must be finite to be exported. Received: "
            f"{np.count_nonzero(~np.isfinite(vectors))} numbers that are not"
        )
    arrays = marked_arrays(pipeline.tokenizer, given, pipeline.max_length)
    places = [np.flatnonzero(row).tolist() for row in arrays["pooling_mask"]]
    rows = zip(arrays["token_ids"], arrays["padding_mask"], strict=True)
    return {
        "texts": texts,
        "token_ids": [row[real].tolist() for row, real in rows],
        "words": [[some[0], some[-1] + 1] for some in places],
        "vectors": vectors.tolist(),
    }


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
    return text_embedder_kind.refuse(checked, expected)


def saved_model_signatures(pipeline):
    """The graph from texts to vectors: see `export_saved_model`.

    Args:
        pipeline: `WordSense`.

    Returns:
        `(signatures, kept)`: dict of a concrete function, and the tokenizer's graph.

    Raises:
        ExportError: the tokenizer cannot be in a graph.
    """
    import tensorflow as tf

    tokenizer = graph_tokenizer(pipeline.tokenizer)

    def serve(text):
        arrays = graph_marked_arrays(tokenizer, pipeline, text)
        return {"vector": pipeline.model.encode(**arrays, training=False)}

    spec = tf.TensorSpec([None], tf.string, name="text")
    function = tf.function(serve, autograph=False).get_concrete_function(spec)
    return {"serving_default": function}, tokenizer


def litert_signatures(pipeline) -> dict:
    """The graph from token ids to a vector: see `export_litert`.

    Args:
        pipeline: `WordSense`.

    Returns:
        dict of a concrete function.
    """
    import tensorflow as tf

    def embed(token_ids, padding_mask, pooling_mask):
        vector = pipeline.model.encode(
            token_ids, padding_mask, training=False, pooling_mask=pooling_mask
        )
        return {"vector": vector}

    kinds = {"token_ids": tf.int32, "padding_mask": tf.bool, "pooling_mask": tf.bool}
    specs = [tf.TensorSpec([1, None], kind, name=name) for name, kind in kinds.items()]
    function = tf.function(embed, autograph=False).get_concrete_function(*specs)
    return {"embed": function}


def litert_description(pipeline) -> dict:
    """Names, sizes, marks and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `WordSense`.

    Returns:
        dict of plain Python.
    """
    return {
        "signatures": ["embed"],
        # Around a word, which is encoded alone, as what is before it and behind it.
        "marks": list(MARKS),
        "lead": pipeline.lead,  # of a cosine, before another sense than the first
        "max_length": pipeline.max_length,  # tokens of a text, special ones included
        "truncate": pipeline.truncate,
        "vector": {"shape": [1, pipeline.model.encoder.hidden_dim], "dtype": "float32"},
        "tokenizer": describe_tokenizer(pipeline.tokenizer),
    }


def _bytes(text):
    return text.encode("utf-8", "surrogateescape")


def _fits(pipeline, text):
    arrays = marked_arrays(pipeline.tokenizer, [_bytes(text)], 1 << 30)
    return arrays["token_ids"].shape[1] <= pipeline.max_length
