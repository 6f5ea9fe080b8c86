"""What a model says of many texts, a few of about one length at a time."""

from collections.abc import Mapping

import numpy as np

from keras_lm.generation.generate import bucket

_ROWS_AT_ONCE = 32


def predict_texts(
    model, arrays: Mapping[str, np.ndarray], num_outputs: int, max_sequence_length: int
) -> np.ndarray:
    """The model's numbers for each text, in few shapes of batches.

    Shapes: `B` texts, `T` tokens of the longest, `D` numbers for a text.

    Args:
        model: a `keras.Model` that takes the dictionary and gives `(B, D)`.
        arrays: of `text_arrays`: `padding_mask`, bool `(B, T)`, and others as wide.
        num_outputs: int, `D`.
        max_sequence_length: int. What the model can read.

    Returns:
        float32 `(B, D)`, in the order of the texts.
    """
    answers = np.zeros((len(arrays["padding_mask"]), num_outputs), "float32")
    for rows, some in _few_at_once(arrays, max_sequence_length):
        answers[rows] = _predict(model, some)
    return answers


def predict_tokens(
    model, arrays: Mapping[str, np.ndarray], max_sequence_length: int
) -> list[np.ndarray]:
    """The model's numbers for each token of each text, in few shapes of batches.

    Shapes: `B` texts, `T` tokens of the longest, `N` real tokens of a text, `D` numbers
    for a token.

    Args:
        model: a `keras.Model` that takes the dictionary and gives `(B, T, D)`.
        arrays: `padding_mask`, bool `(B, T)`, with padding at the end, and others as
            wide.
        max_sequence_length: int. What the model can read.

    Returns:
        for each text, in their order, float32 `(N, D)`.
    """
    lengths = arrays["padding_mask"].sum(axis=1)
    answers = [np.zeros((0, 0), "float32")] * len(lengths)
    for rows, some in _few_at_once(arrays, max_sequence_length):
        for row, answer in zip(rows, _predict(model, some), strict=True):
            answers[row] = answer[: lengths[row]].copy()
    return answers


def _few_at_once(arrays, max_sequence_length):
    """`(rows, arrays)` of texts of about one length, short ones first."""
    lengths = arrays["padding_mask"].sum(axis=1)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), _ROWS_AT_ONCE):
        rows = order[start : start + _ROWS_AT_ONCE]
        width = min(bucket(int(lengths[rows[-1]])), max_sequence_length)
        yield (
            rows,
            {name: _widened(array[rows], width) for name, array in arrays.items()},
        )


def _predict(model, arrays):
    """Answers of a batch; rows of nothing make it a power of 2."""
    num_rows = len(arrays["padding_mask"])
    more = (1 << (num_rows - 1).bit_length()) - num_rows  # so few sizes compile
    padded = {name: np.pad(a, [(0, more), (0, 0)]) for name, a in arrays.items()}
    return np.asarray(model.predict_on_batch(padded))[:num_rows]


def _widened(array, width):
    """With so many columns: cut where all is padding, or padded."""
    array = array[:, :width]
    return np.pad(array, [(0, 0), (0, width - array.shape[1])])
