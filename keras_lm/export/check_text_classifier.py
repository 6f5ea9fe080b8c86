"""Runs exports of a text classifier in a process without keras_lm, and compares.

    python -P check_text_classifier.py JOB.json

imports neither keras_lm nor keras (TensorFlow loads Keras by itself); for LiteRT alone
not even TensorFlow. `JOB.json` names the exports and what the model answered:

    {"saved_model": "…/1",             a version folder; may be left out
     "litert": "….tflite",             may be too
     "texts": [["…"]],                 of pairs [["…", "…"]]; lone surrogates stand for
                                       invalid bytes
     "inputs": {"token_ids": [[…]]},   of each text, special tokens included; and
                                       "segment_ids", if the model looks at them
     "labels": ["…"],
     "logits": [[…]],                  what the model says to each
     "probabilities": [[…]]}

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
`named` (labels), `equal` (one bool a text), `agrees`, `greedy_agreement`,
`largest_difference` (of a score; for LiteRT of a logit or probability), `furthest` (the
text that has it), `finite`, `size_bytes` and, for LiteRT, `spread` (of the model's
logits of a text; where there is one class, of all texts).
"""

import json
import sys
from pathlib import Path

import numpy as np


def check_saved_model(path, job):
    """What `serving_default` answers, all texts at once and one alone.

    Args:
        path: str. The version folder.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    import tensorflow as tf
    import tensorflow_text  # noqa: F401, its ops

    model = tf.saved_model.load(path)
    serve = model.signatures["serving_default"]
    sides = zip(*job["texts"])
    texts = {
        name: tf.constant([_bytes(text) for text in side], tf.string)
        for name, side in zip(("text", "text_pair"), sides)
    }
    first = {name: one[:1] for name, one in texts.items()}
    answers = [serve(**texts), serve(**first)]
    labels, scores = (
        np.concatenate([answer[name].numpy() for answer in answers])
        for name in ("label", "scores")
    )
    named = [label.decode("utf-8") for label in labels]
    return {
        **_compare(named, scores, _and_the_first(job["probabilities"]), job),
        "size_bytes": _size_bytes(Path(path)),
    }


def check_litert(path, job):
    """What `classify` answers, one text after the other; the first also before padding.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    runner = interpreter.get_signature_runner("classify")

    def classify(row, num_padding=0):
        arrays = {
            name: np.array([[*rows[row], *[0] * num_padding]], "int32")
            for name, rows in job["inputs"].items()
        }
        width = arrays["token_ids"].shape[1]
        real = np.arange(width)[None] < width - num_padding
        answer = runner(padding_mask=real, **arrays)
        return np.concatenate([answer["logits"], answer["probabilities"]], axis=1)

    answers = [classify(row) for row in range(len(job["texts"]))]
    numbers = np.concatenate([*answers, classify(0, num_padding=3)])
    logits = _and_the_first(job["logits"])
    both = np.concatenate([logits, _and_the_first(job["probabilities"])], axis=1)
    count = len(job["labels"])
    named = [job["labels"][row[:count].argmax()] for row in numbers]
    return {
        **_compare(named, numbers, both, job),
        "spread": float(logits.std(axis=-1 if count > 1 else None).mean()),
        "size_bytes": _size_bytes(Path(path)),
    }


def _and_the_first(rows):
    return np.array([*rows, rows[0]])


def _compare(named, numbers, expected, job):
    numbers, logits = numbers.astype("float64"), _and_the_first(job["logits"])
    far = np.abs(numbers - expected).max(axis=1)
    places = [job["labels"].index(one) for one in named]
    chosen = logits[np.arange(len(logits)), places]
    # Where the model's own two best are this close, either is its choice.
    equal = (chosen >= logits.max(axis=1) - 1e-5).tolist()
    return {
        "named": named,
        "equal": equal,
        "agrees": all(equal),
        "greedy_agreement": float(np.mean(equal)),
        "largest_difference": float(far.max()),
        "furthest": job["texts"][int(far.argmax()) % len(job["texts"])],
        "finite": bool(np.isfinite(numbers).all()),
    }


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
