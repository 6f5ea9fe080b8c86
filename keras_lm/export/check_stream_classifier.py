"""Runs exports of a stream classifier in a process without keras_lm, and compares.

    python -P check_stream_classifier.py JOB.json

imports neither keras_lm nor keras (TensorFlow loads Keras by itself); for LiteRT alone
not even TensorFlow. `JOB.json` names the exports and what the model answered:

    {"saved_model": "…/1",             a version folder; may be left out
     "litert": "….tflite",             with its .json and .tokenizer.model; may be too
     "arrays_path": "….npz",           the streams of some examples; which are present
     "texts": {"title": ["…"]},        lone surrogates stand for invalid bytes
     "labels": ["…"],
     "logits": [[…]]}                  what the model says to each example

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
`named` (labels), `equal` (one bool an example), `agrees`, `greedy_agreement`,
`largest_difference` (of a score, of a logit), `finite`, `spread` and `size_bytes`.
"""

import json
import sys
from pathlib import Path

import numpy as np


def check_saved_model(path, job):
    """What `serving_default` answers, all examples at once and one alone.

    Args:
        path: str. The version folder.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    import tensorflow as tf

    if job["texts"]:
        import tensorflow_text  # noqa: F401, its ops
    model = tf.saved_model.load(path)
    inputs = {name: tf.constant(array) for name, array in _arrays(job).items()}
    for name, texts in job["texts"].items():
        inputs[name] = tf.constant([_bytes(text) for text in texts], tf.string)
    serve = model.signatures["serving_default"]
    answers = [serve(**inputs), serve(**{k: one[:1] for k, one in inputs.items()})]
    labels, scores = (
        np.concatenate([answer[name].numpy() for answer in answers])
        for name in ("label", "scores")
    )
    logits = np.array(job["logits"])
    logits = np.concatenate([logits, logits[:1]])
    named = [label.decode("utf-8") for label in labels]
    return {
        **_compare(named, scores, _softmax(logits), job["labels"]),
        "size_bytes": _size_bytes(Path(path)),
    }


def check_litert(path, job):
    """Logits of `classify`, one example after the other.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    classifier = LiteRTClassifier(path)
    arrays, logits = _arrays(job), []
    for row in range(len(job["logits"])):
        example = {name: array[row] for name, array in arrays.items()}
        example |= {name: _bytes(texts[row]) for name, texts in job["texts"].items()}
        names = classifier.about["streams"]
        there = [name for name in names if example[f"{name}_present"]]
        logits.append(classifier.logits({name: example[name] for name in there}))
    labels = classifier.about["labels"]
    named = [labels[row.argmax()] for row in logits]
    return {
        **_compare(named, np.stack(logits), np.array(job["logits"]), job["labels"]),
        "size_bytes": _size_bytes(Path(path)),
    }


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


def _compare(named, numbers, expected, labels):
    numbers = numbers.astype("float64")
    best = expected.max(axis=-1)
    chosen = expected[np.arange(len(expected)), [labels.index(one) for one in named]]
    # Where the model's own two best are this close, either is its choice.
    equal = (chosen >= best - 1e-5).tolist()
    return {
        "named": named,
        "equal": equal,
        "agrees": all(equal),
        "greedy_agreement": float(np.mean(equal)),
        "largest_difference": float(np.abs(numbers - expected).max()),
        "finite": bool(np.isfinite(numbers).all()),
        "spread": float(expected.std(axis=-1).mean()),
    }


def _softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def _bytes(text):
    return text.encode("utf-8", "surrogateescape")


def _size_bytes(path):
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def main():
    """Reads the job, prints the answer."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    checks = {"saved_model": check_saved_model, "litert": check_litert}
    answer = {name: checks[name](job[name], job) for name in checks if name in job}
    strangers = {"keras_lm"} & set(sys.modules)
    if strangers:
        raise RuntimeError(f"This must run without {sorted(strangers)}")
    print(json.dumps({"keras_lm": answer}))


if __name__ == "__main__":
    main()
