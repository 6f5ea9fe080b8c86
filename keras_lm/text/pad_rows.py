"""Rows of different lengths in one array."""

from collections.abc import Sequence

import numpy as np


def pad_rows(
    rows: Sequence[Sequence[int]], padding: int, width: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows in one array, filled up at the end.

    Args:
        rows: ints, none longer than `width`.
        padding: int. What fills up.
        width: int, or `None` for the longest row's, at least 1.

    Returns:
        `(array, real)`: int32 `(B, T)`, and bool `(B, T)`, `False` where it is filled.

    Example:
        >>> array, real = pad_rows([[7, 8], [9]], padding=0)
        >>> array.tolist(), real.tolist()
        ([[7, 8], [9, 0]], [[True, True], [True, False]])
    """
    lengths = np.array([len(row) for row in rows], "int64")
    if width is None:
        width = int(lengths.max(initial=1))
    array = np.full((len(rows), width), padding, "int32")
    for place, row in enumerate(rows):
        array[place, : len(row)] = row
    return array, np.arange(width) < lengths[:, None]
