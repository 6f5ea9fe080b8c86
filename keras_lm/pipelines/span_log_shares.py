"""How likely each span of a context is the answer, over all windows of it."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.context_windows import WindowedContext


def span_log_shares(
    windowed: WindowedContext,
    logits: Sequence[np.ndarray],
    max_answer_length: int,
    no_answer: bool = True,
) -> tuple[np.ndarray, float]:
    """Log-probabilities of all spans that may be the answer, and of there being none.

    In each window a span from token `i` to token `j` is so much likelier than no
    answer, which is the first token, `0`:

        odds_ij = start_i + end_j - start_0 - end_0

    which does not change when all logits of a window do, so that windows can be
    compared: a span counts once, with the most that a window gives it. Then

        p_ij = exp(odds_ij) / (1 + sum of exp(odds) over all spans)

    and no answer has `1 / (1 + sum)`; without it, the `1` is left out.

    Shapes: `N` tokens of the context, `K` `max_answer_length`.

    Args:
        windowed: of `text.context_windows`.
        logits: for each of its windows, float `(tokens of the row, 2)`.
        max_answer_length: int, at least 1. Most tokens of a span.
        no_answer: bool. Whether there may be none.

    Returns:
        `(log_shares, none)`: float64 `(N, K)`, where column `k` is of the span that
        ends `k` tokens after it begins, -inf where it is none; and float.
    """
    num_tokens = len(windowed.offsets)
    odds = np.full((num_tokens, min(max_answer_length, num_tokens)), -np.inf)
    is_blank = windowed.offsets[:, 1] == windowed.offsets[:, 0]
    for window, row in zip(windowed.windows, logits, strict=True):
        _, _, first, place, count = window
        some = slice(place, place + count)
        starts, ends = row[first : first + count].astype("float64").T
        starts, ends = (np.where(is_blank[some], -np.inf, x) for x in (starts, ends))
        ends = np.concatenate([ends, np.full(odds.shape[1] - 1, -np.inf)])
        ends = np.lib.stride_tricks.sliding_window_view(ends, odds.shape[1])
        here = starts[:, None] + ends - row[0].astype("float64").sum()  # (count, K)
        odds[some] = np.maximum(odds[some], here)
    none = 0.0 if no_answer else -np.inf
    total = np.logaddexp(none, np.logaddexp.reduce(odds, axis=None))
    return odds - total, float(none - total)
