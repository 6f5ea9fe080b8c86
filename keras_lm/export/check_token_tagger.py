"""Runs exports of a token tagger in a process without keras_lm, and compares.

    python -P run_check.py check_token_tagger.py JOB.json

`JOB.json` names the exports, see `run_check.py`, and holds what the model answered:

    {"texts": ["…"],                   lone surrogates stand for invalid bytes
     "predicates": [2],                of each text, if the model is told one
     "words": [["…"]],                 of each text
     "inputs": {"token_ids": [[…]]},   what the model reads of each, by name, special
                                       tokens included
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

import numpy as np

# Where labellings are this close in the model's own nats, either is its choice.
CLOSE = 1e-4


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
    serve = model.signatures["serving_default"]
    given = {"text": tools.strings(job["texts"])}
    if "predicates" in job:
        given["predicate"] = tf.constant(job["predicates"], tf.int32)
    first = {name: one[:1] for name, one in given.items()}
    answers = [serve(**given), serve(**first)]
    rows = [
        (text % len(job["texts"]), *row)
        for text, row in enumerate(row for one in answers for row in _rows_of(one))
    ]
    found = [_compare_words(job, *row) for row in rows]
    named = [labels for _, _, labels, _ in rows]
    return {"named": named, **_summary(found, job, tools)}


def check_litert(path, job, tools):
    """What `tag` answers, one text after the other; the first also before padding.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path).get_signature_runner("tag")
    found, named = [], []
    wanted = [*job["logits"], job["logits"][0]]
    for (arrays, length), expected in zip(tools.padded_rows(job["inputs"]), wanted):
        logits = runner(**arrays)["logits"][0, :length]
        places = logits.argmax(axis=-1)
        equal = tools.same_choice(places, np.array(expected)).all()
        found.append((np.abs(logits - expected).max(), equal))
        named.append([job["labels"][place] for place in places])
    spreads = [np.std(token) for logits in job["logits"] for token in logits]
    return {
        "named": named,
        **_summary(found, job, tools),
        "spread": float(np.mean(spreads)),
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


def _summary(found, job, tools):
    differences, equal = zip(*found)
    return {
        **tools.judged(differences, equal, job["texts"]),
        "finite": bool(np.isfinite(differences).all()),
    }
