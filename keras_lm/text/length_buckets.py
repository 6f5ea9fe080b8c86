"""Texts, or pairs, divided into few shapes of batches, with little padding."""

from typing import NamedTuple

import numpy as np

_NUM_CUTS = 64  # places where a bucket may end
_COST_OF_A_BATCH = 0.25  # of a full one: what an optimizer step costs with no tokens


class LengthBucket(NamedTuple):
    """Rows, each of a text or a pair, that share one shape of batch.

    Args:
        rows: int array: the numbers of its rows.
        widths: tuple of int: of its longest text; or of its longest source and target.
        num_batches: int.
        batch_size: int: of each of its batches.
    """

    rows: np.ndarray
    widths: tuple[int, ...]
    num_batches: int
    batch_size: int


def length_buckets(
    lengths: np.ndarray,
    max_batch_tokens: int,
    num_buckets: int,
    max_batch_size: int | None = None,
) -> list[LengthBucket]:
    """Divides rows by length so that a pass over the padded batches costs least.

    Pairs are ordered by `max(source / mean source, target / mean target)`, texts by
    their length, and cut into buckets at the best of 64 places, by dynamic programming
    over what the batches will cost: their tokens, padding and the rows that fill the
    last batch included, and a quarter of `max_batch_tokens` for each batch. Batches of
    a bucket are as even as can be, so that few rows are needed to fill them.

    Args:
        lengths: int `(N, 2)`: tokens of each source and target, or `(N, 1)`: of each
            text; `N` at least 1.
        max_batch_tokens: int. Most tokens of a batch, source and target, padding
            included.
        num_buckets: int, at least 1. At most so many; fewer where more save nothing.
        max_batch_size: int or `None`. Most rows of a batch.

    Returns:
        list of `LengthBucket`, short rows first; each row is in exactly one.

    Raises:
        ValueError: a bucket is wider than `max_batch_tokens`.
    """
    lengths = np.asarray(lengths, "int64")
    relative = np.max(lengths / lengths.mean(axis=0), axis=1)
    order = np.argsort(relative, kind="stable")
    cuts = np.unique(np.linspace(0, len(order), _NUM_CUTS + 1).astype("int64"))
    most = len(order) if max_batch_size is None else max_batch_size
    costs = _costs(lengths[order], cuts, max_batch_tokens, most)
    ends = _best_ends(costs, num_buckets)
    buckets = [
        _bucket(order[cuts[start] : cuts[end]], lengths, max_batch_tokens, most)
        for start, end in zip([0, *ends], ends, strict=False)
    ]
    widest = max(sum(bucket.widths) for bucket in buckets)
    if widest > max_batch_tokens:
        raise ValueError(
            "`max_batch_tokens` must hold the longest source and target together, "
            f"{widest} tokens. Received: max_batch_tokens={max_batch_tokens}"
        )
    return buckets


def _costs(lengths, cuts, max_batch_tokens, max_batch_size):
    """What all batches of a bucket from cut `i` to `j` cost: `(M + 1, M + 1)`."""
    parts = np.array(
        [lengths[a:b].max(axis=0) for a, b in zip(cuts, cuts[1:], strict=False)]
    )  # (M, 2): the longest between neighbouring cuts
    costs = np.full((len(cuts), len(cuts)), np.inf)
    for i in range(len(parts)):
        widths = np.maximum.accumulate(parts[i:]).sum(axis=1)
        rows = cuts[i + 1 :] - cuts[i]
        num_batches, batch_size = _batches(
            rows, widths, max_batch_tokens, max_batch_size
        )
        one = batch_size * widths + _COST_OF_A_BATCH * max_batch_tokens
        costs[i, i + 1 :] = num_batches * one
        # What does not fit is taken only where nothing else is left.
        costs[i, i + 1 :][widths > max_batch_tokens] *= 1e6
    return costs


def _batches(num_rows, width, max_batch_tokens, max_batch_size):
    """`(num_batches, batch_size)`: as few and as even batches as fit."""
    largest = np.clip(max_batch_tokens // width, 1, max_batch_size)
    num_batches = -(-num_rows // largest)
    return num_batches, -(-num_rows // num_batches)


def _best_ends(costs, num_buckets):
    """The cuts at which the buckets end, for the least total cost."""
    last = len(costs) - 1
    least = costs[0]  # (M + 1,): of one bucket up to each cut
    paths = [[[end] for end in range(last + 1)]]
    best = [(least[last], paths[0][last])]
    for _ in range(1, min(num_buckets, last)):
        totals = least[:, None] + costs  # (start, end)
        starts = totals.argmin(axis=0)
        least = totals.min(axis=0)
        paths.append([[*paths[-1][start], end] for end, start in enumerate(starts)])
        best.append((least[last], paths[-1][last]))
    return min(best, key=lambda one: one[0])[1]


def _bucket(rows, lengths, max_batch_tokens, max_batch_size):
    widths = lengths[rows].max(axis=0)
    num_batches, batch_size = _batches(
        len(rows), widths.sum(), max_batch_tokens, max_batch_size
    )
    return LengthBucket(rows, tuple(widths.tolist()), int(num_batches), int(batch_size))
