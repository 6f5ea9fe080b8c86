"""How a `TextClassifier` is exported: what it answers, how it is served."""

from pathlib import Path

from keras_lm.export.export_error import ExportError
from keras_lm.export.graph_function import graph_function
from keras_lm.export.graph_texts import (
    describe_tokenizer,
    graph_arrays,
    graph_tokenizer,
)
from keras_lm.export.named_scores import named_scores, probabilities
from keras_lm.export.reference import (
    PROBES,
    as_bytes,
    real_tokens,
    refuse_far,
    refuse_none_fits,
    refuse_not_finite,
    refuse_strange_columns,
)
from keras_lm.pipelines.text_arrays import text_arrays

CHECKER = Path(__file__).with_name("check_text_classifier.py")
# Of a label's probability; a processor's rounding stays a hundred times below.
TOLERANCE = 1e-4


def reference(pipeline, work: Path) -> dict:
    """Texts or pairs, their token ids, and what the model says of them.

    Args:
        pipeline: `TextClassifier`.
        work: folder for files; not used.

    Returns:
        dict: `texts` (lists of one or two; bytes that are no UTF-8 stand as lone
        surrogates), `inputs` (by name, a list of `P` rows of ints, special tokens
        included), `labels` (all, in order), `logits` and `probabilities` (lists of `P`
        rows).

    Raises:
        ValueError: no text fits the model, or the logits are not finite.
    """
    texts = [probe for probe in _probes(pipeline) if _fits(pipeline, probe)]
    refuse_none_fits(texts, pipeline.max_length)
    given = [_given(pipeline, text) for text in texts]
    logits = pipeline.logits(given)
    refuse_not_finite("logits", logits)
    arrays = _arrays(pipeline, given, pipeline.truncate)
    return {
        "texts": texts,
        "inputs": real_tokens(arrays, _inputs(pipeline)),
        "labels": pipeline.labels,
        "logits": logits.tolist(),
        "probabilities": pipeline.probabilities(given).tolist(),
    }


def refuse(checked: dict, expected: dict) -> float:
    """Compares what the SavedModel answered with what the model does.

    Args:
        checked: what `check_text_classifier.py` says of it.
        expected: what `reference` says of the model.

    Returns:
        float, the share of equal labels. (Where two are as likely, either may come.)

    Raises:
        ExportError: it does not agree.
    """
    refuse_far("scores", checked, TOLERANCE)
    refuse_strange_columns(checked, expected)
    if not checked["agrees"]:
        raise ExportError(
            "The SavedModel must name the label that the model does. "
            f"Received: {checked['named']}"
        )
    return checked["greedy_agreement"]


def saved_model_signatures(pipeline):
    """The graph from texts to labels and scores: see `export_saved_model`.

    Args:
        pipeline: `TextClassifier`.

    Returns:
        `(signatures, kept)`: dict of a concrete function, and the tokenizer's graph.

    Raises:
        ExportError: the tokenizer cannot be in a graph.
    """
    tokenizer = graph_tokenizer(pipeline.tokenizer)

    def serve(text, text_pair=None):
        arrays = graph_arrays(tokenizer, pipeline, text, text_pair)
        logits = pipeline.model(arrays, training=False)
        return named_scores(pipeline.labels, logits, pipeline.multi_label)

    names = ["text", "text_pair"] if pipeline.pairs else ["text"]
    function = graph_function(serve, dict.fromkeys(names, "string"), [None])
    return {"serving_default": function}, tokenizer


def litert_signatures(pipeline) -> dict:
    """The graph from token ids to logits: see `export_litert`.

    Args:
        pipeline: `TextClassifier`.

    Returns:
        dict of a concrete function.
    """

    def classify(**arrays):
        logits = pipeline.model(arrays, training=False)
        shares = probabilities(logits, pipeline.multi_label)
        return {"logits": logits, "probabilities": shares}

    function = graph_function(classify, _inputs(pipeline), [1, None])
    return {"classify": function}


def litert_description(pipeline) -> dict:
    """Names, sizes, labels and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `TextClassifier`.

    Returns:
        dict of plain Python.
    """
    return {
        "signatures": ["classify"],
        "pairs": pipeline.pairs,
        "segment_ids": _uses_segments(pipeline),  # 1 for the second text and its end
        "max_length": pipeline.max_length,  # tokens of a text, special ones included
        "truncate": pipeline.truncate,
        "logits": {"shape": [1, len(pipeline.labels)], "dtype": "float32"},
        "labels": pipeline.labels,
        "multi_label": pipeline.multi_label,
        "tokenizer": describe_tokenizer(pipeline.tokenizer),
    }


def _probes(pipeline):
    """Lists of one text, or of two of different lengths, both ways round."""
    if not pipeline.pairs:
        return [[text] for text in PROBES]
    shifted = [*PROBES[2:], *PROBES[:2]]
    return [list(pair) for pair in zip(PROBES, shifted, strict=True)]


def _given(pipeline, texts):
    """As the pipeline takes it: bytes, or a tuple of two."""
    given = tuple(map(as_bytes, texts))
    return given if pipeline.pairs else given[0]


def _arrays(pipeline, given, truncate):
    most = pipeline.max_length if truncate else 1 << 30
    return text_arrays(pipeline.tokenizer, given, most, truncate, pipeline.pairs)


def _fits(pipeline, texts):
    arrays = _arrays(pipeline, [_given(pipeline, texts)], pipeline.truncate)
    return arrays["token_ids"].shape[1] <= pipeline.max_length


def _inputs(pipeline):
    """What the model reads, by name."""
    more = {"segment_ids": "int32"} if _uses_segments(pipeline) else {}
    return {"token_ids": "int32", "padding_mask": "bool", **more}


def _uses_segments(pipeline):
    return pipeline.pairs and pipeline.model.encoder.num_segments > 1
