"""Runs exports of a token tagger in a process without keras_lm, and compares.

    python -P check_token_tagger.py JOB.json

imports neither keras_lm nor keras (TensorFlow loads Keras by itself); for LiteRT alone
not even TensorFlow. `JOB.json` names the exports and what the model answered:

    {"saved_model": "…/1",             a version folder; may be left out
     "litert": "….tflite",             may be too
     "texts": ["…"],                   lone surrogates stand for invalid bytes
     "predicates": [2],                of each text, if the model is told one
     "words": [["…"]],                 of each text
     "inputs": {"token_ids": [[…]]},   of each text, special tokens included; and
                                       "marks", if there are predicates
     "labels": ["…"],
     "may_begin": [true], "may_follow": [[true]],
     "logits": [[[…]]],                what the model says to each token
     "log_probabilities": [[[…]]],     and to each word that was not cut off
     "tags": [["…"]]}                  the labels that it gives to all words

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
`named` (labels of each text; for LiteRT of each token), `equal` (one bool a text),
`agrees`, `greedy_agreement`, `largest_difference` (of a score; for LiteRT of a logit),
`furthest` (the text that has it), `finite`, `size_bytes` and, for LiteRT, `spread` (of
the model's logits of a token).
"""

import json
import sys
from pathlib import Path

import numpy as np

# Where labellings are this close in the model's own nats, either is its choice.
CLOSE = 1e-4


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
    given = {"text": tf.constant([_bytes(text) for text in job["texts"]], tf.string)}
    if "predicates" in job:
        given["predicate"] = tf.constant(job["predicates"], tf.int32)
    first = {name: one[:1] for name, one in given.items()}
    answers = [serve(**given), serve(**first)]
    rows = [
        (text % len(job["texts"]), *row)
        for text, row in enumerate(row for one in answers for row in _rows_of(one))
    ]
    found = [_compare_words(job, *row) for row in rows]
    return {
        "named": [labels for _, _, labels, _ in rows],
        **_summary(found, job),
        "size_bytes": _size_bytes(Path(path)),
    }


def check_litert(path, job):
    """What `tag` answers, one text after the other; the first also before padding.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    runner = interpreter.get_signature_runner("tag")

    def tag(row, num_padding=0):
        arrays = {
            name: np.array([[*rows[row], *[0] * num_padding]], "int32")
            for name, rows in job["inputs"].items()
        }
        width = arrays["token_ids"].shape[1]
        real = np.arange(width)[None] < width - num_padding
        logits = runner(padding_mask=real, **arrays)["logits"][0]
        return logits[: width - num_padding]

    answers = [tag(row) for row in range(len(job["texts"]))]
    answers.append(tag(0, num_padding=3))
    found, named = [], []
    for answer, logits in zip(answers, [*job["logits"], job["logits"][0]]):
        logits, answer = np.array(logits), answer.astype("float64")
        places = answer.argmax(axis=-1)
        chosen = np.take_along_axis(logits, places[:, None], axis=-1)[:, 0]
        equal = bool((chosen >= logits.max(axis=-1) - 1e-5).all())
        found.append((np.abs(answer - logits).max(), equal))
        named.append([job["labels"][place] for place in places])
    spreads = [np.std(token) for logits in job["logits"] for token in logits]
    return {
        "named": named,
        **_summary(found, job),
        "spread": float(np.mean(spreads)),
        "size_bytes": _size_bytes(Path(path)),
    }


def _rows_of(answer):
    """`(words, labels, scores)` of each text, without what fills up."""
    names = ("words", "labels", "scores")
    for words, labels, scores in zip(*(answer[name].numpy() for name in names)):
        labels = [label.decode("utf-8") for label in labels if label]
        words = [word.decode("utf-8") for word in words[: len(labels)]]
        yield words, labels, scores[: len(labels)].astype("float64")


def _compare_words(job, text, words, labels, scores):
    """`(difference, equal)`: of the scores, and whether the labels are the model's."""
    shares = np.array(job["log_probabilities"][text]).reshape(-1, len(job["labels"]))
    count = len(shares)
    if words != job["words"][text] or labels[count:] != job["tags"][text][count:]:
        return 0.0, False
    places = [job["labels"].index(label) for label in labels[:count]]
    best = [job["labels"].index(label) for label in job["tags"][text][:count]]
    every = np.arange(count)
    difference = np.abs(scores[:count] - np.exp(shares[every, places]))
    difference = [*difference, *np.abs(scores[count:])]
    equal = shares[every, places].sum() >= shares[every, best].sum() - CLOSE
    difference = float(np.max(difference, initial=0.0))  # NaN stays, unlike in max()
    return difference, bool(equal and _keeps_rules(places, job))


def _keeps_rules(places, job):
    begins = all(job["may_begin"][place] for place in places[:1])
    return begins and all(
        job["may_follow"][last][place] for last, place in zip(places, places[1:])
    )


def _summary(found, job):
    differences, equal = zip(*found)
    furthest = int(np.argmax(differences)) % len(job["texts"])
    return {
        "equal": list(equal),
        "agrees": all(equal),
        "greedy_agreement": float(np.mean(equal)),
        "largest_difference": float(np.max(differences)),
        "furthest": job["texts"][furthest],
        "finite": bool(np.isfinite(differences).all()),
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
