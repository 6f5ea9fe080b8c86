"""Runs exports of a question answerer in a process without keras_lm, and compares.

    python -P check_question_answerer.py JOB.json

imports neither keras_lm nor keras (TensorFlow loads Keras by itself); for LiteRT alone
not even TensorFlow. `JOB.json` names the exports and what the model answered:

    {"saved_model": "…/1",             a version folder; may be left out
     "litert": "….tflite",             may be too
     "questions": ["…"],               lone surrogates stand for invalid bytes
     "contexts": ["…"],
     "inputs": {"token_ids": [[…]],    of each row, special tokens included
                "context_mask": [[…]]} and "segment_ids", if the model looks at them
     "logits": [[[…, …]]],             of start and end, for each token of each row
     "choices": [[["text", start, end, score, weight]]]}
                                       of each question, the best answers; the one of
                                       the largest weight is the model's, -1 is where
                                       none begins and ends

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
`equal` (one bool an answer), `agrees`, `greedy_agreement`, `largest_difference` (of a
score; for LiteRT of a logit where an answer may be), `finite`, `size_bytes`, for a
SavedModel `answers` and `furthest` (the question that has the difference), and, for
LiteRT, `spread` (of the model's logits of a row).
"""

import json
import sys
from pathlib import Path

import numpy as np

CLOSE = 1e-4  # where two answers are as close, either is the model's choice


def check_saved_model(path, job):
    """What `serving_default` and `best` answer, all questions at once and one alone.

    Args:
        path: str. The version folder.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    import tensorflow as tf
    import tensorflow_text  # noqa: F401, its ops

    model = tf.saved_model.load(path)
    texts = {
        name: tf.constant([_bytes(text) for text in job[f"{name}s"]], tf.string)
        for name in ("question", "context")
    }
    first = {name: one[:1] for name, one in texts.items()}
    # Where the model says that there is none, what it thinks best is looked at too.
    spans = [[one for one in some if one[1] >= 0] for some in job["choices"]]
    served, wanted, names = [], [], []
    for signature, choices in (("serving_default", job["choices"]), ("best", spans)):
        for given in (texts, first):
            served += _rows_of(model.signatures[signature](**given))
        wanted += [*choices, choices[0]]
        names += [*job["questions"], job["questions"][0]]
    return {**compare(served, wanted, names), "size_bytes": _size_bytes(Path(path))}


def check_litert(path, job):
    """What `extract` says, one row after the other; the first also before padding.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path).get_signature_runner("extract")
    kinds = {"context_mask": "bool"}

    def extract(row, num_padding=0):
        arrays = {
            name: np.array([[*rows[row], *[0] * num_padding]], kinds.get(name, "int32"))
            for name, rows in job["inputs"].items()
        }
        width = arrays["token_ids"].shape[1]
        real = np.arange(width)[None] < width - num_padding
        return runner(padding_mask=real, **arrays)["logits"][0, : width - num_padding]

    rows = [*range(len(job["logits"])), 0]
    answers = [extract(row) for row in rows[:-1]]
    answers.append(extract(0, num_padding=3))
    differences, spreads, equal, finite = [], [], [], True
    for row, found in zip(rows, answers):
        allowed = np.array(job["inputs"]["context_mask"][row], "bool")
        allowed[0] = True
        found = found[allowed].astype("float64")
        expected = np.array(job["logits"][row])[allowed]
        differences.append(float(np.abs(found - expected).max()))
        spreads.append(float(expected.std(axis=0).mean()))
        chosen = np.take_along_axis(expected, found.argmax(axis=0)[None], axis=0)[0]
        equal.append(bool((chosen >= expected.max(axis=0) - 1e-5).all()))
        finite = finite and bool(np.isfinite(found).all())
    return {
        "equal": equal,
        "agrees": all(equal),
        "greedy_agreement": float(np.mean(equal)),
        "largest_difference": float(np.max(differences)),
        "finite": finite,
        "spread": float(np.mean(spreads)),
        "size_bytes": _size_bytes(Path(path)),
    }


def _rows_of(answer):
    """Tuples of text, start, end and score."""
    answer = {name: one.numpy().tolist() for name, one in answer.items()}
    texts = [text.decode("utf-8") for text in answer["answer"]]
    return zip(texts, answer["start"], answer["end"], answer["score"])


def compare(served, wanted, questions):
    """Answers of a SavedModel with those of the model.

    Args:
        served: tuples of text, start, end and score.
        wanted: for each the `choices` that are the model's.
        questions: list of str, of each.

    Returns:
        dict, see the top of this file; without the size.
    """
    equal, far = [], []
    for (*span, score), choices in zip(served, wanted):
        most = max(weight for *_, weight in choices)
        close = [one for one in choices if one[-1] >= most - CLOSE]
        known = [one[3] for one in close if one[:3] == span]
        equal.append(bool(known))
        far.append(abs(score - known[0]) if known else 1.0)
    return {
        "answers": served,
        "equal": equal,
        "agrees": all(equal),
        "greedy_agreement": float(np.mean(equal)),
        "largest_difference": float(np.max(far)),
        "furthest": questions[int(np.argmax(far))],
        "finite": bool(np.isfinite([score for *_, score in served]).all()),
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
