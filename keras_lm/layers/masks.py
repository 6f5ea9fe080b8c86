"""The only place that knows what `True` means, causal alignment and finite lows."""

from typing import Any, NamedTuple

import keras
from keras import ops


class Visibility(NamedTuple):
    """Who may attend to whom, kept in pieces so that no `T x S` array is built early.

    Shapes: `B` batch, `H` heads, `T` query steps, `S` key steps.

    Args:
        key_mask: bool `(B, S)` or `None`. `True` = a real key.
        attention_mask: bool `(B or 1, H or 1, T, S)` or `None`. `True` = query `t`
            may attend to key `s`.
        is_causal: bool. Query `t` sees key `s` when `s <= t + S - T`.
    """

    key_mask: Any = None
    attention_mask: Any = None
    is_causal: bool = False

    def mask(self, num_queries, num_keys):
        """All in one: bool, broadcastable to `(B, H, T, S)`; `None` hides nothing."""
        mask = self.attention_mask
        if self.is_causal:
            causal = causal_mask(num_queries, num_keys)  # (T, S)
            mask = both(mask, ops.reshape(causal, (1, 1, num_queries, num_keys)))
        if self.key_mask is not None:
            keys = ops.expand_dims(ops.expand_dims(self.key_mask, 1), 1)
            mask = both(mask, keys)  # (B, 1, 1, S)
        return mask

    def num_visible(self, num_queries, num_keys):
        """How many keys each query sees: float32, broadcastable to `(B, H, T)`.

        Builds nothing of size `T x S` that is not there already.
        """
        if self.attention_mask is not None:
            mask = ops.cast(self.mask(num_queries, num_keys), "float32")
            return ops.sum(mask, axis=-1)
        rows = ops.arange(0, num_queries, dtype="int32") + (num_keys - num_queries)
        if self.key_mask is None:
            seen = ops.zeros_like(rows) + num_keys
            if self.is_causal:
                seen = ops.maximum(rows + 1, 0)
            return ops.cast(ops.reshape(seen, (1, 1, -1)), "float32")
        real = ops.cast(self.key_mask, "float32")  # (B, S)
        if not self.is_causal:
            total = ops.sum(real, axis=-1, keepdims=True)
            return ops.expand_dims(total, 1)  # (B, 1, 1)
        # The last T of the counts, and 0 for queries before the first key.
        seen = ops.pad(ops.cumsum(real, axis=-1), ((0, 0), (num_queries, 0)))
        return ops.expand_dims(seen[:, num_keys:], 1)  # (B, 1, T)

    def num_seeing(self, num_queries, num_keys):
        """By how many queries each key is seen: float32, as `(B, H, 1, S)`.

        Builds nothing of size `T x S` that is not there already.
        """
        if self.attention_mask is not None:
            mask = ops.cast(self.mask(num_queries, num_keys), "float32")
            return ops.sum(mask, axis=2, keepdims=True)
        columns = ops.arange(0, num_keys, dtype="int32")
        blind = ops.maximum(columns + (num_queries - num_keys), 0)
        seeing = num_queries - (blind if self.is_causal else ops.zeros_like(blind))
        seeing = ops.reshape(ops.cast(seeing, "float32"), (1, 1, 1, -1))
        if self.key_mask is None:
            return seeing
        real = ops.cast(self.key_mask, "float32")
        return seeing * ops.expand_dims(ops.expand_dims(real, 1), 1)


def causal_mask(num_queries, num_keys):
    """Each query sees the keys up to its own place, aligned at the bottom right.

    With 2 queries and 4 keys (the queries are the last two of the four steps):

        1 1 1 0
        1 1 1 1

    Args:
        num_queries: int or int scalar tensor, `T`.
        num_keys: int or int scalar tensor, `S`.

    Returns:
        bool `(T, S)`.
    """
    rows = ops.arange(0, num_queries, dtype="int32") + (num_keys - num_queries)
    columns = ops.arange(0, num_keys, dtype="int32")
    return ops.expand_dims(rows, 1) >= ops.expand_dims(columns, 0)


def both(first, second):
    """`first AND second`, where `None` hides nothing."""
    if first is None or second is None:
        return second if first is None else first
    return ops.logical_and(first, second)


def heads_mask(attention_mask):
    """Brings an attention mask of rank 2, 3 or 4 to rank 4.

    Args:
        attention_mask: `(T, S)`, `(B, T, S)` or `(B, H, T, S)`; bool, or numbers of
            which 0 hides.

    Returns:
        bool, rank 4; `None` for `None`.

    Raises:
        ValueError: the rank is not 2, 3 or 4.
    """
    if attention_mask is None:
        return None
    mask = ops.cast(ops.convert_to_tensor(attention_mask), "bool")
    rank = len(mask.shape)
    if rank == 2:
        return ops.expand_dims(ops.expand_dims(mask, 0), 0)
    if rank == 3:
        return ops.expand_dims(mask, 1)
    if rank != 4:
        raise ValueError(
            "`attention_mask` must have shape (T, S), (B, T, S) or (B, H, T, S). "
            f"Received: attention_mask of shape {tuple(mask.shape)}"
        )
    return mask


def mask_scores(scores, mask):
    """Makes the scores of hidden positions so low that softmax gives them 0.

    The number is finite, so that LiteRT and float16 survive it.

    Args:
        scores: float `(..., T, S)`. Attention scores before softmax.
        mask: bool, broadcastable to `scores`, or `None`. `True` = visible.

    Returns:
        float `(..., T, S)`.
    """
    if mask is None:
        return scores
    dtype = keras.backend.standardize_dtype(scores.dtype)
    lowest = -6e4 if dtype == "float16" else -1e9
    return ops.where(mask, scores, ops.cast(lowest, scores.dtype))


def masked_softmax(scores, mask):
    """Softmax in float32 over the visible keys; a row that sees nothing is all 0.

    Args:
        scores: float `(..., T, S)`.
        mask: bool, broadcastable to `scores`, or `None`. `True` = visible.

    Returns:
        float32 `(..., T, S)`; each row sums to 1, or is 0 where nothing is visible.
    """
    scores = ops.cast(scores, "float32")
    weights = ops.softmax(mask_scores(scores, mask), axis=-1)
    if mask is None:
        return weights
    return ops.where(mask, weights, 0.0)


def zero_blind_rows(context, mask):
    """Turns the rows of `context` whose query sees no key into 0.

    Args:
        context: float `(B, H, T, D)`.
        mask: bool, broadcastable to `(B, H, T, S)`, or `None`.

    Returns:
        float `(B, H, T, D)`.
    """
    if mask is None:
        return context
    sees_something = ops.any(mask, axis=-1, keepdims=True)  # (B, H, T, 1)
    return ops.where(sees_something, context, ops.cast(0, context.dtype))


def hide_rows(context, weights, query_mask):
    """Turns the rows of hidden queries into 0.

    Args:
        context: float `(B, H, T, D)`.
        weights: float `(B, H, T, S)` or `None`.
        query_mask: bool `(B, T)` or `None`. `True` = a real query.

    Returns:
        `(context, weights)`.
    """
    if query_mask is None:
        return context, weights
    rows = ops.expand_dims(ops.expand_dims(query_mask, 1), -1)  # (B, 1, T, 1)
    context = ops.where(rows, context, ops.cast(0, context.dtype))
    if weights is not None:
        weights = ops.where(rows, weights, ops.cast(0, weights.dtype))
    return context, weights
