"""Hypotheses: what beam search answers, and how they are scored, kept and ordered.

Inside the search, hypotheses are a dictionary of arrays that share their first two
axes: `score`, float32 `(R, n)`; `token_ids`, int32 `(R, n, T)`; and, where it was asked
for, `attention`, float32 `(R, n, T, S)`. An empty place has the score -inf.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from keras import ops


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """What beam search found for each row of a batch, best first.

    It unpacks into the first two, which are always wanted: `token_ids, scores = found`.

    Shapes: `B` batch, `N` hypotheses, `T` new tokens, `S` source positions.

    Args:
        token_ids: int32 `(B, N, T)`. The new tokens; after its stop token a hypothesis
            repeats it.
        scores: float32 `(B, N)`. -inf where there was no other hypothesis.
        finished: bool `(B, N)`. Whether it ended in a stop token; one that did not was
            cut off at the most tokens.
        attention: float32 `(B, N, T, S)` or `None`. What was looked at in the source
            when each token was chosen; 0 after the end.

    Example:
        >>> found = keras_lm.generation.Hypotheses(
        ...     np.array([[[5, 2, 2], [7, 8, 9]]]), np.array([[-0.3, -1.5]]),
        ...     np.array([[True, False]]))
        >>> token_ids, scores = found
        >>> token_ids.shape, scores.shape, found.finished.shape
        ((1, 2, 3), (1, 2), (1, 2))
    """

    token_ids: np.ndarray
    scores: np.ndarray
    finished: np.ndarray
    attention: np.ndarray | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.token_ids, self.scores))


def normalized(log_probability, length, length_penalty):
    """Log-probabilities made comparable between lengths, as in GNMT.

        score = log_probability / ((5 + length) / 6) ** length_penalty

    Args:
        log_probability: float32, any shape: the sum over the new tokens.
        length: int32, broadcastable: how many these are, the stop token included.
        length_penalty: float. 0 leaves the sum, 1 is close to a mean; the higher, the
            longer the hypotheses that win.

    Returns:
        float32, of the shape of `log_probability`.

    Source: https://arxiv.org/abs/1609.08144, equation 14.
    """
    scale = (5.0 + ops.cast(length, "float32")) / 6.0
    return log_probability / scale**length_penalty


def coverage_score(coverage, padding_mask, coverage_penalty):
    """What a hypothesis loses for source positions that it left out, as in GNMT.

        score = coverage_penalty * sum_i log(min(coverage_i, 1))

    Args:
        coverage: float32 `(R, S)`. Attention that each position got from all tokens.
        padding_mask: bool `(R, S)`. `True` = real.
        coverage_penalty: float, at least 0.

    Returns:
        float32 `(R,)`, at most 0.

    Source: https://arxiv.org/abs/1609.08144, equation 14.
    """
    # Attention can underflow to 0; -46 is what is lost then.
    loss = ops.log(ops.clip(coverage, 1e-20, 1.0))
    return coverage_penalty * ops.sum(ops.where(padding_mask, loss, 0.0), axis=-1)


def no_hypotheses(num_rows, num_kept, shapes):
    """Empty places.

    Args:
        num_rows: int or int scalar tensor, `R`.
        num_kept: int, `n`.
        shapes: dict: the last axes of each array but the score, as
            `{"token_ids": (T,)}`.

    Returns:
        Hypotheses: a dictionary, see the top of this file.
    """
    dtypes = {"token_ids": "int32", "attention": "float32"}
    arrays = {
        name: ops.zeros((num_rows, num_kept, *shape), dtypes[name])
        for name, shape in shapes.items()
    }
    return {"score": ops.full((num_rows, num_kept), -math.inf, "float32"), **arrays}


def joined(some, others):
    """Both in one: `(R, n, ..)` and `(R, m, ..)` become `(R, n + m, ..)`."""
    return {name: ops.concatenate([some[name], others[name]], axis=1) for name in some}


def keep_best(hypotheses, num_kept):
    """The hypotheses of highest score, best first; of equal ones the first."""
    _, index = ops.top_k(hypotheses["score"], num_kept)
    return {name: pick(array, index) for name, array in hypotheses.items()}


def pick(array, index):
    """`array[r, index[r, i]]` for each `r` and `i`.

    Args:
        array: `(R, n, ..)`.
        index: int32 `(R, m)`.

    Returns:
        array `(R, m, ..)`.
    """
    num_rows, number, *rest = ops.shape(array)
    flat = ops.reshape(array, (-1, *rest))  # (R * n, ..)
    return ops.take(flat, flat_index(index, num_rows, number), axis=0)


def flat_index(index, num_rows, number):
    """Places `(R, m)` among `number` in each row as places among all `R * number`."""
    first = ops.arange(0, num_rows, dtype="int32") * number
    return ops.cast(index, "int32") + ops.expand_dims(first, 1)
