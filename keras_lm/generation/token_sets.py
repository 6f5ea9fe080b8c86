"""Sets of tokens as bool `(B, V)`: what samplers keep, exclude and look up.

Nothing here has a shape that depends on values, and nothing is of size B x L x V.
"""

from keras import ops

EXCLUDED_GAP = 1e9  # how far below the best token an excluded one is put


def exclude_others(logits, keep):
    """Puts all but the kept tokens a billion below the best of the kept.

    Args:
        logits: float32 `(B, V)`.
        keep: bool, broadcastable to `(B, V)`. A row that keeps none keeps all.

    Returns:
        float32 `(B, V)`, finite; no token rises.
    """
    keep = ops.logical_or(keep, ops.logical_not(ops.any(keep, -1, keepdims=True)))
    lowest = ops.min(logits, axis=-1, keepdims=True)
    best_kept = ops.max(ops.where(keep, logits, lowest), axis=-1, keepdims=True)
    return ops.where(keep, logits, ops.minimum(logits, best_kept - EXCLUDED_GAP))


def most_likely(logits, threshold, count):
    """Marks `count` tokens: those above the threshold, then the first equal to it.

    Args:
        logits: float32 `(B, V)`.
        threshold: float32 `(B, 1)`. The logit of the last token to keep.
        count: int, or int32 `(B, 1)`.

    Returns:
        bool `(B, V)`; each row has `count` true entries.
    """
    above, equal = logits > threshold, logits == threshold
    num_above = ops.sum(ops.cast(above, "int32"), axis=-1, keepdims=True)
    nth_equal = ops.cumsum(ops.cast(equal, "int32"), axis=-1)
    first_equal = ops.logical_and(equal, nth_equal <= count - num_above)
    return ops.logical_or(above, first_equal)


def tokens_in(logits, token_ids, chosen):
    """Marks the tokens that the chosen slots of each row hold.

    Args:
        logits: float32 `(B, V)`. Only its shape counts.
        token_ids: int32 `(B, L)`.
        chosen: bool `(B, L)`.

    Returns:
        bool `(B, V)`.
    """
    spare = ops.zeros_like(logits[:, :1])  # a column for the slots not chosen
    table = ops.zeros_like(ops.concatenate([logits, spare], axis=-1))
    columns = ops.where(chosen, ops.cast(token_ids, "int32"), logits.shape[-1])
    table = _put(table, columns, ops.ones_like(columns, dtype=table.dtype))
    return table[:, :-1] > 0


def ngram_completions(logits, token_ids, visible, n):
    """Marks the tokens that would complete an n-gram its row already has.

    Args:
        logits: float32 `(B, V)`. Only its shape counts.
        token_ids: int32 `(B, L)`.
        visible: bool `(B, L)`. The text is the visible tokens in slot order.
        n: int, at least 1.

    Returns:
        bool `(B, V)`.
    """
    slots = ops.shape(token_ids)[1]  # L
    text, length = _left_align(token_ids, visible, slots + n - 1)
    newest = length - (n - 1) + ops.arange(n - 1, dtype="int32")  # (B, n - 1)
    suffix = ops.take_along_axis(text, ops.maximum(newest, 0), axis=-1)
    # Which slots start an n-gram that lies in the text and begins as the text ends?
    repeats = ops.arange(slots, dtype="int32") + (n - 1) < length  # (B, L)
    for j in range(n - 1):
        same = text[:, j : j + slots] == suffix[:, j : j + 1]
        repeats = ops.logical_and(repeats, same)
    return tokens_in(logits, text[:, n - 1 : n - 1 + slots], repeats)


def _left_align(token_ids, visible, width):
    """Moves each row's visible tokens to its front: `(B, width)`, length `(B, 1)`."""
    counted = ops.cumsum(ops.cast(visible, "int32"), axis=-1)  # (B, L)
    rows = ops.shape(token_ids)[0]
    table = ops.zeros((rows, width + 1), dtype="int32")  # the last slot is a spare
    columns = ops.where(visible, counted - 1, width)
    text = _put(table, columns, ops.cast(token_ids, "int32"))[:, :-1]
    return text, counted[:, -1:]


def _put(table, columns, values):
    """Writes `values` `(B, L)` into the given columns of each row of the table."""
    rows = ops.arange(ops.shape(columns)[0], dtype="int32")[:, None]
    rows = rows + ops.zeros_like(columns)  # (B, L)
    places = ops.stack([ops.reshape(rows, (-1,)), ops.reshape(columns, (-1,))], -1)
    return ops.scatter_update(table, places, ops.reshape(values, (-1,)))
