"""Two texts as one row of tokens that know where they stand."""

from typing import NamedTuple

import numpy as np


class EncodedPair(NamedTuple):
    """Two texts as one row of tokens.

    Shapes: `N` tokens.

    Args:
        token_ids: list of int, special tokens included.
        segment_ids: list of int, what the model knows the texts by.
        sides: int64 `(N,)`: 0 or 1, the text that a token is of; -1 for special ones.
        offsets: int64 `(N, 2)`: the first character of each token in its text, and the
            one behind its last.
    """

    token_ids: list[int]
    segment_ids: list[int]
    sides: np.ndarray
    offsets: np.ndarray
