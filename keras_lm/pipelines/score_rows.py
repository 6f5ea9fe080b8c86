"""How likely a decoder finds rows of token ids."""

from collections.abc import Sequence

import numpy as np

from keras_lm.generation.generate import bucket
from keras_lm.pipelines.sum_log_likelihoods import sum_log_likelihoods

_ROWS_AT_ONCE = 8  # scores take memory for rows x steps x vocabulary


def score_rows(model, rows: Sequence, firsts: Sequence[int]) -> np.ndarray:
    """The log-likelihood of the end of each row, given its beginning.

    Args:
        model: a decoder of the decoding protocol.
        rows: lists of token ids.
        firsts: for each row an int, at least 1: the place of the first token counted.

    Returns:
        float32 `(len(rows),)`: nats, at most 0, the sum over the tokens counted; 0
        where there is none.

    Raises:
        ValueError: a row is longer than the model reads.
    """
    longest = max((len(row) - 1 for row in rows), default=0)
    room = model.max_sequence_length
    if longest > room:
        raise ValueError(
            f"A text must fit the model's max_sequence_length={room}. "
            f"Received: {longest} tokens"
        )
    width = min(bucket(longest + 1), room + 1)
    parts = [
        _log_likelihoods(model, rows[start:end], firsts[start:end], width)
        for start in range(0, len(rows), _ROWS_AT_ONCE)
        for end in [start + _ROWS_AT_ONCE]
    ]
    return np.concatenate([np.zeros((0,), "float32"), *parts])


def _log_likelihoods(model, rows, firsts, width):
    token_ids = np.zeros((len(rows), width), "int32")
    for i, row in enumerate(rows):
        token_ids[i, : len(row)] = row  # padded on the right: causal, so unseen
    ends = np.array([[len(row)] for row in rows])
    places = np.arange(1, width)
    counted = (places >= np.array(firsts)[:, None]) & (places < ends)  # (B, T)
    logits = model.predict_on_batch(token_ids[:, :-1])
    return sum_log_likelihoods(logits, token_ids[:, 1:], counted)
