"""Runs exports that give vectors of texts in a process without keras_lm, and compares.

    python -P check_text_embedder.py JOB.json

imports neither keras_lm nor keras (TensorFlow loads Keras by itself); for LiteRT alone
not even TensorFlow. `JOB.json` names the exports and what the model answered:

    {"saved_model": "…/1",             a version folder; may be left out
     "litert": "….tflite",             may be too
     "texts": ["…"],                   lone surrogates stand for invalid bytes
     "token_ids": [[…]],               of each text, special ones included
     "words": [[…, …]],                may be left out: what of each its vector is of
     "vectors": [[…]]}                 what the model says to each

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
`equal` (whether each text's nearest other one is the same), `agrees`,
`greedy_agreement`, `largest_difference` (of a number of a vector for a SavedModel; of a
text's cosine with the model's vector of any text for LiteRT), `furthest` (the text that
has it), `finite`, `spread` (of the cosines between the model's vectors) and
`size_bytes`.
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
    texts = tf.constant([_bytes(text) for text in job["texts"]], tf.string)
    vectors = serve(text=texts)["vector"].numpy()
    alone = serve(text=texts[:1])["vector"].numpy()
    vectors = np.concatenate([vectors, alone])
    expected = np.array([*job["vectors"], job["vectors"][0]])
    return {
        **_compare(vectors, expected, vectors - expected, job["texts"]),
        "size_bytes": _size_bytes(Path(path)),
    }


def check_litert(path, job):
    """What `embed` answers, one text after the other; the first also before padding.

    Args:
        path: str. The `.tflite` file.
        job: dict, see the top of this file.

    Returns:
        dict, see the top of this file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path)
    runner = interpreter.get_signature_runner("embed")

    def embed(row, num_padding=0):
        token_ids = job["token_ids"][row]
        ids = np.array([[*token_ids, *[0] * num_padding]], "int32")
        places = np.arange(ids.shape[1])[None]
        more = {}
        if "words" in job:
            start, end = job["words"][row]
            more["pooling_mask"] = (places >= start) & (places < end)
        real = places < len(token_ids)
        return runner(token_ids=ids, padding_mask=real, **more)["vector"]

    vectors = [embed(row) for row in range(len(job["token_ids"]))]
    vectors = np.concatenate([*vectors, embed(0, num_padding=3)])
    known = np.array(job["vectors"])
    expected = np.array([*known, known[0]])
    return {
        **_compare(vectors, expected, (vectors - expected) @ known.T, job["texts"]),
        "size_bytes": _size_bytes(Path(path)),
    }


def _compare(vectors, expected, differences, texts):
    far = np.abs(differences).max(axis=1)
    products, wanted = vectors @ expected.T, expected @ expected.T
    rows, count = np.arange(len(wanted)), len(texts)
    # Neither a text nor its second answer is its own neighbour.
    own = rows[:, None] % count == rows % count
    spread = float(wanted[~own].std()) if count > 1 else 0.0
    products[own] = wanted[own] = -np.inf
    # Where the model's own two nearest are this close, either is its choice.
    equal = wanted[rows, products.argmax(axis=1)] >= wanted.max(axis=1) - 1e-5
    return {
        "equal": equal.tolist(),
        "agrees": bool(equal.all()),
        "greedy_agreement": float(np.mean(equal)),
        "largest_difference": float(far.max()),
        "furthest": texts[int(far.argmax()) % count],
        "finite": bool(np.isfinite(vectors).all()),
        "spread": spread,
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
