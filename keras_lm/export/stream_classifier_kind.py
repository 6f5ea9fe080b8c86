"""How a `StreamClassifier` is exported: what it answers, how it is served."""

import io
from pathlib import Path

import numpy as np

from keras_lm.export.export_error import ExportError
from keras_lm.export.named_scores import named_scores
from keras_lm.export.reference import (
    PROBES,
    as_bytes,
    refuse_far,
    refuse_not_finite,
    refuse_strange_columns,
)
from keras_lm.pipelines.stream_arrays import PADDING, padded_token_ids
from keras_lm.text import unicode

CHECKER = Path(__file__).with_name("check_stream_classifier.py")
# Of a label's probability; a processor's rounding stays a hundred times below.
TOLERANCE = 1e-4


def reference(pipeline, work: Path) -> dict:
    """Examples, and what the model says of them; the arrays go to a file.

    In the first examples every stream is there; then each is missing in turn, then each
    is alone, and in the last none is there.

    Args:
        pipeline: `StreamClassifier`.
        work: folder for the file.

    Returns:
        dict: `arrays_path` (`.npz`: each stream `(P, ..)`, a text as token ids, and
        `<name>_present`), `texts` (of each text stream that has a tokenizer; bytes that
        are no UTF-8 stand as lone surrogates), `labels` (all, in order) and `logits`
        (lists of `P` rows).

    Raises:
        ValueError: a stream's name cannot be an argument's, or the logits are not
            finite.
    """
    strange = [name for name in pipeline.model.streams if not name.isidentifier()]
    if strange:
        raise ValueError(
            "To be exported a stream must have a name of letters, digits and _. "
            f"Received: {strange}"
        )
    present = _presence(list(pipeline.model.streams))
    streams, arrays, texts = _probes(pipeline, len(next(iter(present.values()))))
    logits = pipeline.logits(
        {
            name: [one if there else None for one, there in zip(stream, present[name])]
            for name, stream in streams.items()
        }
    )
    refuse_not_finite("logits", logits)
    arrays |= {f"{name}_present": there for name, there in present.items()}
    content = io.BytesIO()
    np.savez(content, **arrays)
    # Not `np.savez` to the disk: its error does not say that it is full.
    (work / "arrays.npz").write_bytes(content.getbuffer())
    return {
        "arrays_path": str(work / "arrays.npz"),
        "texts": texts,
        "labels": pipeline.labels,
        "logits": logits.tolist(),
    }


def refuse(checked: dict, expected: dict) -> float:
    """Compares what the SavedModel answered with what the model does.

    Args:
        checked: what `check_stream_classifier.py` says of it.
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
    """The graph from streams to labels and scores: see `export_saved_model`.

    Args:
        pipeline: `StreamClassifier`.

    Returns:
        `(signatures, kept)`: dict of a concrete function, and the tokenizer's graph.
    """
    import tensorflow as tf

    from keras_lm.text import GraphTokenizer

    tokenizer = None
    if pipeline.tokenizer is not None:
        tokenizer = GraphTokenizer(pipeline.tokenizer)

    def serve(**inputs):
        count = tf.shape(next(iter(inputs.values())))[0]
        inputs = _at_least_one_row(inputs, count)
        for name, spec in pipeline.model.streams.items():
            if tokenizer is not None and spec["kind"] == "text":
                length = spec["max_length"]
                inputs[name] = _encode(tokenizer, name, inputs[name], length)
        logits = _call_model(pipeline.model, inputs)[:count]
        return named_scores(pipeline.labels, logits)

    specs = _specs(pipeline.model, None, texts=tokenizer is not None)
    function = tf.function(serve, autograph=False).get_concrete_function(**specs)
    return {"serving_default": function}, tokenizer


def litert_signatures(pipeline) -> dict:
    """The graph from arrays to logits: see `export_litert`.

    Args:
        pipeline: `StreamClassifier`.

    Returns:
        dict of a concrete function.
    """
    import tensorflow as tf

    def classify(**inputs):
        return {"logits": _call_model(pipeline.model, inputs)}

    specs = _specs(pipeline.model, 1, texts=False)
    function = tf.function(classify, autograph=False).get_concrete_function(**specs)
    return {"classify": function}


def litert_description(pipeline) -> dict:
    """Streams, labels and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `StreamClassifier`.

    Returns:
        dict of plain Python.
    """
    tokenizer = None
    if pipeline.tokenizer is not None:
        # Done in this order before encoding.
        tokenizer = {"escapes": unicode.ESCAPES}
    signature = pipeline.model.stream_signature()
    return {
        "signatures": ["classify"],
        "streams": {
            name: {
                "kind": pipeline.model.streams[name]["kind"],
                "shape": [1, *shape[1:]],
                "dtype": dtype,
            }
            for name, (shape, dtype) in signature.items()
        },
        "padding": PADDING,  # after the token ids of a text
        "logits": {"shape": [1, len(pipeline.labels)], "dtype": "float32"},
        "labels": pipeline.labels,
        "tokenizer": tokenizer,
    }


def _presence(names):
    """Bool `(P,)` by name."""
    everything = dict.fromkeys(names, True)
    rows = [everything] * len(PROBES)
    rows += [{**everything, name: False} for name in names]
    rows += [{**dict.fromkeys(names, False), name: True} for name in names]
    rows.append(dict.fromkeys(names, False))
    return {name: np.array([row[name] for row in rows]) for name in names}


def _probes(pipeline, num_rows):
    """The pipeline's inputs, all present; as arrays; and which of them are texts."""
    rng = np.random.default_rng(seed=0)
    model, tokenizer = pipeline.model, pipeline.tokenizer
    streams, arrays, texts = {}, {}, {}
    for name, (shape, dtype) in model.stream_signature().items():
        if model.streams[name]["kind"] != "text":
            streams[name] = rng.random((num_rows, *shape[1:])).astype(dtype)
            arrays[name] = streams[name]
            continue
        if tokenizer is not None:
            fits = [one for one in PROBES if _length(one, tokenizer) <= shape[1]]
            texts[name] = [fits[row % len(fits)] for row in range(num_rows)]
            streams[name] = [as_bytes(text) for text in texts[name]]
        else:
            lengths = rng.integers(0, shape[1] + 1, size=num_rows)
            size = model.streams[name]["vocabulary_size"]
            streams[name] = [rng.integers(0, size, size=length) for length in lengths]
        arrays[name] = padded_token_ids(name, streams[name], shape[1], tokenizer)
    return streams, arrays, texts


def _length(text, tokenizer):
    return len(tokenizer.encode(as_bytes(text)))


def _specs(model, batch, texts):
    """A `TensorSpec` for each argument; `texts` are strings or token ids."""
    import tensorflow as tf

    specs = {}
    for name, (shape, dtype) in model.stream_signature().items():
        shape = [batch, *shape[1:]]
        if texts and model.streams[name]["kind"] == "text":
            shape, dtype = [batch], "string"
        specs[name] = tf.TensorSpec(shape, dtype, name=name)
        present = f"{name}_present"
        specs[present] = tf.TensorSpec([batch], "bool", name=present)
    return specs


def _at_least_one_row(inputs, count):
    """A batch of no example becomes one where all is missing: some ops want a row."""
    import tensorflow as tf

    more = 1 - tf.minimum(count, 1)
    return {
        name: tf.concat([one, tf.zeros([more, *one.shape[1:]], one.dtype)], axis=0)
        for name, one in inputs.items()
    }


def _encode(tokenizer, name, texts, length):
    """Token ids int32 `(B, length)`, `PADDING` after each text."""
    import tensorflow as tf

    token_ids = tokenizer.encode(texts)  # (B, None)
    lengths = tf.cast(token_ids.row_lengths(), tf.int32)
    message = f"A text of the stream {name!r} must have at most {length} tokens. "
    fits = tf.debugging.Assert(
        tf.reduce_all(lengths <= length), [message + "Received: tokens", lengths]
    )
    with tf.control_dependencies([fits]):
        padding = tf.constant(PADDING, token_ids.dtype)
        return token_ids.to_tensor(padding, shape=[None, length])


def _call_model(model, inputs):
    """Logits; token ids are told from the padding after them."""
    import tensorflow as tf

    arrays = dict(inputs)
    for name, spec in model.streams.items():
        if spec["kind"] == "text":
            arrays[name] = tf.maximum(inputs[name], 0)
            arrays[f"{name}_mask"] = inputs[name] >= 0
    return model(arrays, training=False)
