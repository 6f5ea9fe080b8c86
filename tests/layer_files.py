"""Loads models in a process of another backend and says how far their answers are.

    KERAS_BACKEND=jax python -m tests.layer_files FOLDER

`FOLDER` is that of `tests/layer_exports.py`. Of each model the second case is compared:
a compiler takes longer for every length. The last line printed is a dictionary: for
each name the largest difference, or the error as text.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import ops

import keras_lm.layers  # noqa: F401, the classes in the files
from tests.checks import compiled


def main():
    answers = {}
    for path in sorted(Path(sys.argv[1]).glob("*.keras")):
        try:
            case = read(path.with_name(f"{path.stem}-1.npz"))
            answers[path.stem] = largest_difference(runner(path), [case])
        except Exception as error:  # the next one is told about all the same
            answers[path.stem] = f"{type(error).__name__}: {error}"
    print(json.dumps(answers))


def runner(path):
    """A function that runs the model of a file."""
    call = compiled(keras.saving.load_model(path))

    def run(inputs):
        outputs = call({key: ops.convert_to_tensor(x) for key, x in inputs.items()})
        return {name: ops.convert_to_numpy(array) for name, array in outputs.items()}

    return run


def read(file):
    """`(inputs, outputs)` by name."""
    with np.load(file) as arrays:
        return tuple(
            {
                name[len(side) :]: arrays[name]
                for name in arrays
                if name.startswith(side)
            }
            for side in ("in/", "out/")
        )


def largest_difference(run, cases):
    """The largest difference of any number; a shape that differs is an error."""
    worst = 0.0
    for inputs, outputs in cases:
        answered = run(inputs)
        for name, expected in outputs.items():
            assert answered[name].shape == expected.shape, (name, answered[name].shape)
            difference = np.abs(answered[name].astype("float64") - expected)
            worst = max(worst, np.nan_to_num(difference, nan=np.inf).max())
    return float(worst)


if __name__ == "__main__":
    main()
