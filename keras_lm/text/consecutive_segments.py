"""A long text as rows that go on from batch to batch."""

import numpy as np

from keras_lm.text.check_at_least import check_at_least


def consecutive_segments(
    token_ids, batch_size: int, sequence_length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segments of a text of which each continues one of the batch before.

    The text is cut into `batch_size` rows of one length, and these into segments. The
    first segments of all rows come first, then the second ones: in batches of
    `batch_size`, row `i` goes on where row `i` of the batch before ended, which is what
    `training.ConsecutiveSegments` reads. Every token but the first is predicted once;
    what the last row lacks is filled up, with weight 0.

    Shapes: `N` tokens, `B` `batch_size`, `T` `sequence_length`, `S` segments of a row:
        as few as hold `N - 1` tokens.

    Args:
        token_ids: int `(N,)`, at least 2: for example, what `text.encode_corpus` gives.
        batch_size: int, at least 1.
        sequence_length: int, at least 1.

    Returns:
        `(token_ids, next_token_ids, weights)`, each `(S * B, T)`: int32, int32, and
        float32, 1 for a token to predict. `fit` takes them as they are, with
        `batch_size` and `shuffle=False`.

    Raises:
        ValueError: a number is below 1, or `token_ids` is no row of at least 2 tokens.

    Example:
        >>> arrays = keras_lm.text.consecutive_segments(
        ...     np.arange(12), batch_size=2, sequence_length=3)
        >>> arrays[0].tolist()  # row 0 is 0 to 5, row 1 is 6 to 10
        [[0, 1, 2], [6, 7, 8], [3, 4, 5], [9, 10, 0]]
        >>> arrays[1].tolist(), int(arrays[2].sum())
        ([[1, 2, 3], [7, 8, 9], [4, 5, 6], [10, 11, 0]], 11)

    Source: https://arxiv.org/abs/1409.2329, section 4.1.
    """
    check_at_least(1, batch_size=batch_size, sequence_length=sequence_length)
    token_ids = np.asarray(token_ids)
    if token_ids.ndim != 1 or len(token_ids) < 2:
        raise ValueError(
            "`token_ids` must be one row of at least 2 tokens. "
            f"Received: shape {token_ids.shape}"
        )
    token_ids = token_ids.astype("int32")
    count = len(token_ids) - 1
    padding = -count % (batch_size * sequence_length)

    def cut(array):
        rows = np.pad(array, (0, padding)).reshape(batch_size, -1, sequence_length)
        return rows.swapaxes(0, 1).reshape(-1, sequence_length)  # (S * B, T)

    weights = np.ones(count, "float32")
    return cut(token_ids[:-1]), cut(token_ids[1:]), cut(weights)
