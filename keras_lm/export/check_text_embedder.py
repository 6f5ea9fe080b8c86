"""Runs exports that give vectors of texts in a process without keras_lm, and compares.

    python -P run_check.py check_text_embedder.py JOB.json

`JOB.json` names the exports, see `run_check.py`, and holds what the model answered:

    {"texts": ["…"],                   lone surrogates stand for invalid bytes
     "inputs": {"token_ids": [[…]]},   what the model reads of each, by name, special
                                       tokens included
     "vectors": [[…]]}                 what the model says to each

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
`equal` (whether each text's nearest other one is the same), `agrees`,
`greedy_agreement`, `largest_difference` (of a number of a vector for a SavedModel; of a
text's cosine with the model's vector of any text for LiteRT), `furthest` (the text that
has it), `finite`, `spread` (of the cosines between the model's vectors) and
`size_bytes`.
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
    texts = tools.strings(job["texts"])
    serve = model.signatures["serving_default"]
    vectors = tools.served(serve, {"text": texts})["vector"]
    expected = np.array([*job["vectors"], job["vectors"][0]])
    return _compare(vectors, expected, vectors - expected, job["texts"], tools)


def check_litert(path, job, tools):
    """What `embed` answers, one text after the other; the first also before padding.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.
        tools: `run_check`.

    Returns:
        dict, see the top of this file.
    """
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path).get_signature_runner("embed")
    rows = tools.padded_rows(job["inputs"])
    vectors = np.concatenate([runner(**arrays)["vector"] for arrays, _ in rows])
    known = np.array(job["vectors"])
    expected = np.array([*known, known[0]])
    cosines = (vectors - expected) @ known.T
    return _compare(vectors, expected, cosines, job["texts"], tools)


def _compare(vectors, expected, differences, texts, tools):
    far = np.abs(differences).max(axis=1)
    products, wanted = vectors @ expected.T, expected @ expected.T
    rows, count = np.arange(len(wanted)), len(texts)
    # Neither a text nor its second answer is its own neighbour.
    own = rows[:, None] % count == rows % count
    spread = float(wanted[~own].std()) if count > 1 else 0.0
    products[own] = wanted[own] = -np.inf
    equal = tools.same_choice(products.argmax(axis=1), wanted)
    return {
        **tools.judged(far, equal, texts),
        "finite": bool(np.isfinite(vectors).all()),
        "spread": spread,
    }
