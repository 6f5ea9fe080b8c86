"""From characters of a text to its tokens and back."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.unicode import ESCAPE, SPACE_SIGN


def byte_token_offsets(text: str, sizes: Sequence[int]) -> np.ndarray:
    """Where tokens stand in a text, from how many bytes each of them spells.

    A token that is some bytes of a character stands where the character does.

    Shapes: `N` tokens.

    Args:
        text: str, valid Unicode.
        sizes: for each token the bytes that it adds to the text as SentencePiece sees
            it: U+2581 and ESC are two bytes each, see `keras_lm.text.unicode`.

    Returns:
        int64 `(N, 2)`: the first character of each token, and the one behind its last.

    Example:
        >>> byte_token_offsets("a\u4e2d b", [1, 2, 1, 2]).tolist()
        [[0, 1], [1, 2], [1, 2], [2, 4]]
    """
    escaped = (ESCAPE, SPACE_SIGN)
    widths = [2 if one in escaped else len(one.encode("utf-8")) for one in text]
    ends = np.cumsum(np.array(widths, "int64"))
    starts = ends - np.array(widths, "int64")
    behind = np.cumsum(np.array(sizes, "int64"))
    before = behind - np.array(sizes, "int64")
    first = np.searchsorted(ends, before, side="right")
    last = np.searchsorted(starts, behind, side="left")
    return np.stack([first, last], axis=1)


def trim_offsets(text: str, offsets: np.ndarray) -> np.ndarray:
    """Offsets without the white space at the ends of a token.

    A token of white space only stands where it began, and has no length.

    Shapes: `N` tokens.

    Args:
        text: str.
        offsets: int `(N, 2)`.

    Returns:
        int64 `(N, 2)`.

    Example:
        >>> trim_offsets("a bc  ", np.array([[0, 1], [1, 5], [5, 6]])).tolist()
        [[0, 1], [2, 4], [5, 5]]
    """
    starts, ends = np.asarray(offsets, "int64").reshape(-1, 2).T
    solid = np.flatnonzero([not one.isspace() for one in text])
    first = np.searchsorted(solid, starts)
    behind = np.searchsorted(solid, ends)  # as many of them are before the end
    places = np.append(solid, len(text))
    is_blank = first >= behind
    trimmed = [places[first], places[behind - 1] + 1]
    return np.where(is_blank, starts, np.stack(trimmed)).T


def covering_tokens(offsets: np.ndarray, start: int, end: int):
    """The fewest neighbouring tokens in which some characters are.

    Of the characters, those that are in no token (white space, and what a tokenizer
    throws away) do not count.

    Shapes: `N` tokens.

    Args:
        offsets: int `(N, 2)`, in the order of the text.
        start: int. The first character.
        end: int. The one behind the last.

    Returns:
        `(first, last)`, both among them; `None` where no token has a character of
        these.

    Example:
        >>> offsets = np.array([[0, 3], [3, 6], [7, 9]])
        >>> covering_tokens(offsets, 4, 8), covering_tokens(offsets, 6, 7)
        ((1, 2), None)
    """
    starts, ends = offsets[:, 0], offsets[:, 1]
    # Both have a character, and one in common.
    (inside,) = np.nonzero(np.minimum(ends, end) > np.maximum(starts, start))
    return (int(inside[0]), int(inside[-1])) if len(inside) else None
