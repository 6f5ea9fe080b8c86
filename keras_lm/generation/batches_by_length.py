"""Batches of rows that are about as long as each other, by tokens."""

from collections.abc import Sequence

import numpy as np

from keras_lm.generation.generate import bucket


def batches_by_length(
    rows: Sequence[Sequence[int]], max_batch_tokens: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Divides rows into batches by length, and tells how to put answers back in order.

    A batch holds rows of one bucket of lengths, so that padding is little and few
    loops compile: at most `max_batch_tokens` tokens, padding included, and at least
    one row. Longer rows come first: what does not fit memory fails at once.

    Args:
        rows: prompts or sources: sequences of token ids.
        max_batch_tokens: int, at least 1. A row that is longer has a batch of its own.

    Returns:
        `(batches, order)`: a list of int arrays, each the numbers of a batch's rows;
        and an int array for which
        `np.concatenate(answers_of_batches)[order]` is in the order of `rows`.

    Raises:
        ValueError: `max_batch_tokens` is below 1.

    Example:
        >>> rows = [[1, 2, 3], list(range(40)), [4], [5, 6]]
        >>> batches, order = keras_lm.generation.batches_by_length(rows, 32)
        >>> [batch.tolist() for batch in batches]
        [[1], [0, 3], [2]]
        >>> answers = [[len(rows[i]) for i in batch] for batch in batches]
        >>> np.concatenate(answers)[order].tolist()
        [3, 40, 1, 2]
    """
    if max_batch_tokens < 1:
        raise ValueError(
            "`max_batch_tokens` must be at least 1. "
            f"Received: max_batch_tokens={max_batch_tokens}"
        )
    lengths = np.array([len(row) for row in rows], "int64")
    longest_first = np.argsort(-lengths, kind="stable")
    widths = np.array([bucket(max(n, 1)) for n in lengths[longest_first]], "int64")
    batches = []
    for width in sorted(set(widths.tolist()), reverse=True):
        same = longest_first[widths == width]
        size = max(1, max_batch_tokens // width)
        batches += [same[i : i + size] for i in range(0, len(same), size)]
    return batches, np.argsort(longest_first, kind="stable")
