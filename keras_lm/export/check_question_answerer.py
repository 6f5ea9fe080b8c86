"""Runs exports of a question answerer in a process without keras_lm, and compares.

    python -P run_check.py check_question_answerer.py JOB.json

`JOB.json` names the exports, see `run_check.py`, and holds what the model answered:

    {"questions": ["…"],               lone surrogates stand for invalid bytes
     "contexts": ["…"],
     "inputs": {"token_ids": [[…]],    what the model reads of each, by name, special
                "context_mask": [[…]]} tokens included
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

import numpy as np

CLOSE = 1e-4  # where two answers are as close, either is the model's choice


def check_saved_model(path, job, tools):
    """What `serving_default` and `best` answer, all questions at once and one alone.

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
    texts = {name: tools.strings(job[f"{name}s"]) for name in ("question", "context")}
    # Where the model says that there is none, what it thinks best is looked at too.
    spans = [[one for one in some if one[1] >= 0] for some in job["choices"]]
    answers, wanted = [], []
    for name, choices in (("serving_default", job["choices"]), ("best", spans)):
        answers += _rows_of(tools.served(model.signatures[name], texts))
        wanted += [*choices, choices[0]]
    questions = [*job["questions"], job["questions"][0]]
    return compare(answers, wanted, questions, tools)


def check_litert(path, job, tools):
    """What `extract` says, one row after the other; the first also before padding.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path).get_signature_runner("extract")
    differences, spreads, equal, finite = [], [], [], True
    wanted = [*job["logits"], job["logits"][0]]
    for (arrays, length), expected in zip(tools.padded_rows(job["inputs"]), wanted):
        found = runner(**arrays)["logits"][0, :length]
        allowed = arrays["context_mask"][0, :length] | (np.arange(length) == 0)
        found, expected = found[allowed].T, np.array(expected)[allowed].T  # (2, T)
        differences.append(np.abs(found - expected).max())
        spreads.append(expected.std(axis=1).mean())
        equal.append(tools.same_choice(found.argmax(axis=1), expected).all())
        finite = finite and bool(np.isfinite(found).all())
    return {
        **tools.judged(differences, equal),
        "finite": finite,
        "spread": float(np.mean(spreads)),
    }


def compare(answers, wanted, questions, tools):
    """Answers of a SavedModel with those of the model.

    Args:
        answers: lists of text, start, end and score.
        wanted: for each the `choices` that are the model's.
        questions: list of str, over again where there are more answers.
        tools: `run_check`.

    Returns:
        dict, see the top of this file; without the size.
    """
    equal, far = [], []
    for (*span, score), choices in zip(answers, wanted):
        most = max(weight for *_, weight in choices)
        close = [one for one in choices if one[-1] >= most - CLOSE]
        known = [one[3] for one in close if one[:3] == span]
        equal.append(bool(known))
        far.append(abs(score - known[0]) if known else 1.0)
    return {
        "answers": answers,
        **tools.judged(far, equal, questions),
        "finite": bool(np.isfinite([score for *_, score in answers]).all()),
    }


def _rows_of(answer):
    """Lists of text, start, end and score."""
    texts = [text.decode("utf-8") for text in answer["answer"]]
    numbers = (answer[name].tolist() for name in ("start", "end", "score"))
    return map(list, zip(texts, *numbers))
