"""How a `WordSense` is exported: the vectors of words and glosses, how it is served."""

from keras_lm.export import text_embedder_kind
from keras_lm.export.graph_function import graph_function
from keras_lm.export.graph_marked_texts import graph_marked_arrays
from keras_lm.export.graph_texts import describe_tokenizer, graph_tokenizer
from keras_lm.export.reference import (
    PROBES,
    as_bytes,
    real_tokens,
    refuse_none_fits,
    refuse_not_finite,
)
from keras_lm.pipelines.marked_arrays import marked_arrays
from keras_lm.text.encode_words import frame_of
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
        dict: `texts` (bytes that are no UTF-8 stand as lone surrogates), `inputs` (by
        name, a list of `P` rows) and `vectors` (a list of `P` rows).

    Raises:
        ValueError: no text fits the model, or the vectors are not finite.
    """
    texts = [text for text in (*_MARKED, *PROBES) if _fits(pipeline, text)]
    refuse_none_fits(texts, pipeline.max_length)
    given = [as_bytes(text) for text in texts]
    vectors = pipeline.vectors(given)
    refuse_not_finite("vectors", vectors)
    arrays = marked_arrays(pipeline.tokenizer, given, pipeline.max_length)
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
    tokenizer = graph_tokenizer(pipeline.tokenizer)

    def serve(text):
        arrays = graph_marked_arrays(tokenizer, pipeline, text)
        return {"vector": pipeline.model.encode(**arrays, training=False)}

    function = graph_function(serve, {"text": "string"}, [None])
    return {"serving_default": function}, tokenizer


def litert_signatures(pipeline) -> dict:
    """The graph from token ids to a vector: see `export_litert`.

    Args:
        pipeline: `WordSense`.

    Returns:
        dict of a concrete function.
    """

    def embed(token_ids, padding_mask, pooling_mask):
        vector = pipeline.model.encode(
            token_ids, padding_mask, training=False, pooling_mask=pooling_mask
        )
        return {"vector": vector}

    kinds = {"token_ids": "int32", "padding_mask": "bool", "pooling_mask": "bool"}
    function = graph_function(embed, kinds, [1, None])
    return {"embed": function}


def litert_description(pipeline) -> dict:
    """Names, sizes, marks and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `WordSense`.

    Returns:
        dict of plain Python.
    """
    before, behind = frame_of(pipeline.tokenizer)
    return {
        "signatures": ["embed"],
        # Around a word, which is encoded alone, as what is before it and behind it.
        "marks": list(MARKS),
        "lead": pipeline.lead,  # of a cosine, before another sense than the first
        "max_length": pipeline.max_length,  # tokens of a text, special ones included
        "truncate": pipeline.truncate,
        "vector": {"shape": [1, pipeline.model.encoder.hidden_dim], "dtype": "float32"},
        "tokenizer": {
            **describe_tokenizer(pipeline.tokenizer),
            "before": before,  # special tokens of a text
            "behind": behind,
        },
    }


def _fits(pipeline, text):
    arrays = marked_arrays(pipeline.tokenizer, [as_bytes(text)], 1 << 30)
    return arrays["token_ids"].shape[1] <= pipeline.max_length
