"""Runs exports of a text classifier in a process without keras_lm, and compares.

    python -P run_check.py check_text_classifier.py JOB.json

`JOB.json` names the exports, see `run_check.py`, and holds what the model answered:

    {"texts": [["…"]],                 of pairs [["…", "…"]]; lone surrogates stand for
                                       invalid bytes
     "inputs": {"token_ids": [[…]]},   what the model reads of each, by name, special
                                       tokens included
     "labels": ["…"],
     "logits": [[…]],                  what the model says to each
     "probabilities": [[…]]}

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
`named` (labels), `equal` (one bool a text), `agrees`, `greedy_agreement`,
`largest_difference` (of a score; for LiteRT of a logit or probability), `furthest` (the
text that has it), `finite`, `size_bytes`, for a SavedModel `columns` (the labels that
it gives its scores, once if every row has the same) and, for LiteRT, `spread` (of the
model's logits of a text; where there is one class, of all texts).
"""

import numpy as np


def check_saved_model(path, job, tools):
    """What `serving_default` answers, all texts at once and one alone.

    Args:
        path: str. The version folder.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    import tensorflow as tf
    import tensorflow_text  # noqa: F401, its ops

    model = tf.saved_model.load(path)
    sides = zip(*job["texts"])
    texts = {
        name: tools.strings(side) for name, side in zip(("text", "text_pair"), sides)
    }
    answer = tools.served(model.signatures["serving_default"], texts)
    columns, named = tools.columns_of(answer, job["labels"])
    expected = _and_the_first(job["probabilities"])
    compared = _compare(named, answer["scores"], expected, job, tools)
    return {**compared, "columns": columns}


def check_litert(path, job, tools):
    """What `classify` answers, one text after the other; the first also before padding.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path).get_signature_runner("classify")
    answers = [runner(**arrays) for arrays, _ in tools.padded_rows(job["inputs"])]
    numbers = [[*one["logits"][0], *one["probabilities"][0]] for one in answers]
    logits = _and_the_first(job["logits"])
    expected = np.concatenate([logits, _and_the_first(job["probabilities"])], axis=1)
    count = len(job["labels"])
    named = [job["labels"][one["logits"].argmax()] for one in answers]
    return {
        **_compare(named, np.array(numbers), expected, job, tools),
        "spread": float(logits.std(axis=-1 if count > 1 else None).mean()),
    }


def _and_the_first(rows):
    return np.array([*rows, rows[0]])


def _compare(named, numbers, expected, job, tools):
    places = [job["labels"].index(one) for one in named]
    equal = tools.same_choice(places, _and_the_first(job["logits"]))
    far = np.abs(numbers - expected).max(axis=1)
    return {
        "named": named,
        **tools.judged(far, equal, job["texts"]),
        "finite": bool(np.isfinite(numbers).all()),
    }
