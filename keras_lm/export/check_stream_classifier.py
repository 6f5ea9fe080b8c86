"""Runs exports of a stream classifier in a process without keras_lm, and compares.

    python -P run_check.py check_stream_classifier.py JOB.json

`JOB.json` names the exports, see `run_check.py`, and holds what the model answered:

    {"arrays_path": "….npz",           the streams of some examples; which are present
     "texts": {"title": ["…"]},        lone surrogates stand for invalid bytes
     "labels": ["…"],
     "logits": [[…]]}                  what the model says to each example

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
`named` (labels), `equal` (one bool an example), `agrees`, `greedy_agreement`,
`largest_difference` (of a score, of a logit), `finite`, `spread`, `size_bytes` and, for
a SavedModel, `columns` (the labels that it gives its scores, once if every row has the
same).
"""

import json
from pathlib import Path

import numpy as np


def check_saved_model(path, job, tools):
    """What `serving_default` answers, all examples at once and one alone.

    Args:
        path: str. The version folder.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    import tensorflow as tf

    if job["texts"]:
        import tensorflow_text  # noqa: F401, its ops
    model = tf.saved_model.load(path)
    inputs = {name: tf.constant(array) for name, array in _arrays(job).items()}
    for name, texts in job["texts"].items():
        inputs[name] = tools.strings(texts)
    answer = tools.served(model.signatures["serving_default"], inputs)
    logits = np.array([*job["logits"], job["logits"][0]])
    columns, named = tools.columns_of(answer, job["labels"])
    compared = _compare(named, answer["scores"], _softmax(logits), job, tools)
    return {**compared, "columns": columns}


def check_litert(path, job, tools):
    """Logits of `classify`, one example after the other.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    classifier = LiteRTClassifier(path)
    arrays, logits = _arrays(job), []
    for row in range(len(job["logits"])):
        example = {name: array[row] for name, array in arrays.items()}
        for name, texts in job["texts"].items():
            example[name] = tools.as_bytes(texts[row])
        names = classifier.about["streams"]
        there = [name for name in names if example[f"{name}_present"]]
        logits.append(classifier.logits({name: example[name] for name in there}))
    labels, expected = classifier.about["labels"], np.array(job["logits"])
    named = [labels[row.argmax()] for row in logits]
    return _compare(named, np.stack(logits), expected, job, tools)


class LiteRTClassifier:
    """Classifies with ai-edge-litert and numpy alone; a text needs sentencepiece.

    Args:
        path: str. The `.tflite` file, with its `.json` beside, and, where there is a
            tokenizer, its `.tokenizer.model`.
    """

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter

        path = Path(path)
        self.about = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if self.about["tokenizer"] is not None:
            import sentencepiece

            self.pieces = sentencepiece.SentencePieceProcessor(
                model_file=str(path.with_suffix(".tokenizer.model"))
            )
        self.interpreter = Interpreter(str(path))
        self.runner = self.interpreter.get_signature_runner("classify")

    def logits(self, streams):
        """Logits `(C,)` of one example; a stream that is left out is missing."""
        arguments = {}
        for name, one in self.about["streams"].items():
            array = np.zeros(one["shape"], one["dtype"])
            if one["kind"] == "text":
                array += self.about["padding"]
                token_ids = self._token_ids(streams.get(name, []))
                array[0, : len(token_ids)] = token_ids
            elif name in streams:
                array[0] = streams[name]
            arguments[name] = array
            arguments[f"{name}_present"] = np.array([name in streams])
        return self.runner(**arguments)["logits"][0]

    def _token_ids(self, text):
        if not isinstance(text, bytes):
            return text
        text = text.decode("utf-8", "replace")
        for plain, escaped in self.about["tokenizer"]["escapes"]:
            text = text.replace(plain, escaped)
        return self.pieces.encode(text)


def _arrays(job):
    with np.load(job["arrays_path"]) as arrays:
        return dict(arrays)


def _compare(named, numbers, expected, job, tools):
    places = [job["labels"].index(one) for one in named]
    equal = tools.same_choice(places, expected)
    return {
        "named": named,
        **tools.judged(np.abs(numbers - expected).max(axis=1), equal),
        "finite": bool(np.isfinite(numbers).all()),
        "spread": float(expected.std(axis=-1).mean()),
    }


def _softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)
