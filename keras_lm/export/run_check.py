"""Runs exports in a process without keras_lm, and compares them with the model.

    python -P run_check.py CHECKER.py JOB.json

imports neither keras_lm nor keras (TensorFlow loads Keras by itself); for LiteRT alone
not even TensorFlow. Nor does a checker, the script of a kind of pipeline, `check_*.py`,
which has

    check_saved_model(path, job, tools)    answers of a version folder: a dict
    check_litert(path, job, tools)         those of a `.tflite` file: a dict

with this file as `tools`. `JOB.json` names the exports and what the model answered, as
the checker says:

    {"saved_model": "…/1",             a version folder; may be left out
     "litert": "….tflite",             with its .json and tokenizers; may be too
     …}                                of texts, lone surrogates stand for invalid bytes

The last line printed is `{"keras_lm": {"saved_model": {...}, "litert": {...}}}`, with
what the checker found and `size_bytes`.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np

NUM_PADDING = 3


def as_bytes(text):
    """A text of a job as UTF-8, or what was never valid.

    Args:
        text: str.

    Returns:
        bytes.
    """
    return text.encode("utf-8", "surrogateescape")


def strings(texts):
    """Texts of a job for a SavedModel.

    Args:
        texts: list of str.

    Returns:
        string tensor `(B,)`.
    """
    import tensorflow as tf

    return tf.constant([as_bytes(text) for text in texts], tf.string)


def served(signature, inputs):
    """Answers of a SavedModel to all rows at once, and to the first one alone.

    Args:
        signature: of the SavedModel.
        inputs: dict of tensors `(B, ..)`.

    Returns:
        dict of arrays `(B + 1, ..)`, what the first row got alone at the end.
    """
    first = {name: one[:1] for name, one in inputs.items()}
    answers = [signature(**inputs), signature(**first)]
    return {
        name: np.concatenate([answer[name].numpy() for answer in answers])
        for name in answers[0]
    }


def padded_rows(inputs):
    """Rows for LiteRT, one after the other; the first once more, before padding.

    Args:
        inputs: dict, by name a list of rows, each a list of ints or of bools.

    Returns:
        iterator of `(arrays, length)`: dict of arrays `(1, T)`, int32 or bool, and how
        many real tokens they have.
    """
    lengths = list(map(len, inputs["token_ids"]))
    rows = [*((row, 0) for row in range(len(lengths))), (0, NUM_PADDING)]
    for row, num_padding in rows:
        arrays = {}
        for name, some in inputs.items():
            array = np.pad(some[row], (0, num_padding))[None]
            arrays[name] = array if array.dtype == bool else array.astype("int32")
        yield arrays, lengths[row]


def same_choice(places, expected):
    """Whether what was chosen is the model's own choice.

    Where the model's own two best are as good as equal, either is its choice.

    Args:
        places: int `(..)`, what was chosen.
        expected: float `(.., C)`, what the model says to each.

    Returns:
        bool array `(..)`.
    """
    chosen = np.take_along_axis(expected, np.expand_dims(places, -1), axis=-1)
    return chosen[..., 0] >= expected.max(axis=-1) - 1e-5


def columns_of(answer, labels):
    """Which labels a SavedModel gives its scores, and which it says is the one.

    Args:
        answer: dict of arrays, of `served`: `labels`, bytes `(B, C)`, `scores`, float
            `(B, C)`, and perhaps `label`, bytes `(B,)`.
        labels: list of `C` str, those of the model.

    Returns:
        `(columns, named)`: lists of `C` str, each once, so one if all rows are alike;
        and list of `B` str, where there is no `label` those of the largest scores.
    """
    rows = [tuple(one.decode("utf-8") for one in row) for row in answer["labels"]]
    if "label" in answer:
        named = [label.decode("utf-8") for label in answer["label"]]
    else:
        named = [labels[place] for place in answer["scores"].argmax(axis=1)]
    return [list(row) for row in dict.fromkeys(rows)], named


def judged(differences, equal, names=None):
    """What is told of every export.

    Args:
        differences: floats, how far each answer is from the model's.
        equal: bools, whether each is the model's.
        names: list, what was asked, over again where there are more answers.

    Returns:
        dict: `equal`, `agrees`, `greedy_agreement`, `largest_difference` (NaN, if one
        is) and, with `names`, `furthest`, what the answer to has it.
    """
    equal = [bool(one) for one in equal]
    found = {
        "equal": equal,
        "agrees": all(equal),
        "greedy_agreement": float(np.mean(equal)),
        # Not Python's `max`, which would lose a NaN.
        "largest_difference": float(np.max(differences, initial=0.0)),
    }
    if names is not None:
        found["furthest"] = names[int(np.argmax(differences)) % len(names)]
    return found


def size_bytes(path):
    """Size of a file, or of all files in a folder.

    Args:
        path: path.

    Returns:
        int.
    """
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def main():
    """Reads the job, prints the answer."""
    checker = runpy.run_path(sys.argv[1])
    job = json.loads(Path(sys.argv[2]).read_text("utf-8"))
    answer = {}
    for name in ("saved_model", "litert"):
        if name in job:
            check = checker[f"check_{name}"]
            found = check(job[name], job, sys.modules[__name__])
            answer[name] = {**found, "size_bytes": size_bytes(Path(job[name]))}
    strangers = {"keras_lm"} & set(sys.modules)
    if strangers:
        raise RuntimeError(f"This must run without {sorted(strangers)}")
    print(json.dumps({"keras_lm": answer}))


if __name__ == "__main__":
    main()
