"""From each region of a text to the tokens near it and the summaries of all others."""

import math

import keras
from keras import ops

from keras_lm import backend
from keras_lm.layers.dot_product_attention import (
    attention_weights,
    dot_product_attention,
    weighted_values,
)
from keras_lm.layers.masks import Visibility, both, masked_softmax
from keras_lm.layers.region_summaries import pooling_weights, read_sums, sum_regions

# From so many scores per head on, regions of queries are taken one at a time.
MAPPED_FROM = 1024 * 1024
if keras.backend.backend() == "torch":  # its kernel keeps no scores: all at once
    MAPPED_FROM = math.inf


def attend_regions(query, key, value, importance, real, regions, drop=None):
    """The context, by regions: nothing of size `T x T` is built.

    Shapes: `B` batch, `H` heads, `K` key and value heads, `T` steps, `D`, `Dv` widths.

    Args:
        query: float `(B, H, T, D)`.
        key: float `(B, K, T, D)`.
        value: float `(B, K, T, Dv)`.
        importance: float32 `(B, K, T, 1)`, of each token in its summary.
        real: bool `(B, 1, T, 1)`. `False` hides a token.
        regions: `Regions`.
        drop: function of the weights, for dropout, or `None`.

    Returns:
        float `(B, H, T, Dv)`; 0 in rows that see nothing.
    """
    size, before = regions.size, regions.neighbors
    after = 0 if regions.is_causal else before
    steps, heads, width = ops.shape(query)[2], query.shape[1], value.shape[3]
    query = with_channel(query * (1.0 / math.sqrt(query.shape[3])), 1.0)
    q, k, v, c, real = (
        _fold(array, size) for array in (query, key, value, importance, real)
    )  # (B, heads, R, r, widths)
    far = read_sums(sum_regions(k, v, c, real), key.dtype)
    num_regions = ops.shape(q)[2]
    numbers = ops.arange(0, num_regions, dtype="int32")
    is_far = regions.far(ops.expand_dims(numbers, 1), ops.expand_dims(numbers, 0))
    is_far = both(ops.expand_dims(is_far, 0), ops.expand_dims(far.visible, 1))
    turns = (
        q,
        _gather_near(with_channel(k, 0.0), before, after),
        _gather_near(v, before, after),
        _gather_near(real, before, after),  # (B, 1, R, L, 1)
        ops.expand_dims(ops.expand_dims(is_far, 1), -1),  # (B, 1, R, R, 1)
    )
    turns = tuple(ops.transpose(turn, (2, 0, 1, 3, 4)) for turn in turns)

    def attend(turn, shared):
        some_queries, keys, values, is_token, is_summary = turn
        mask = ops.concatenate([is_token, is_summary], axis=2)
        mask = ops.transpose(mask, (0, 1, 3, 2))  # (X, 1, 1, L + R)
        if regions.is_causal:
            columns = ops.arange(0, ops.shape(mask)[3], dtype="int32") - before * size
            rows = ops.expand_dims(ops.arange(0, size, dtype="int32"), 1)
            is_past = ops.logical_or(columns <= rows, columns >= size)  # (r, L + R)
            mask = both(mask, is_past[None, None])
        keys = ops.concatenate([keys, shared[0]], axis=2)
        values = ops.concatenate([values, shared[1]], axis=2)
        if drop is None:
            seen = Visibility(attention_mask=mask)
            return dot_product_attention(some_queries, keys, values, seen, scale=1.0)
        weights = attention_weights(some_queries, keys, mask, scale=1.0)
        return weighted_values(drop(weights), values)

    shared = (with_importance(far), far.value)
    num_keys = (before + 1 + after) * size + num_regions
    is_static = isinstance(steps, int) and drop is None
    if is_static and steps * num_keys >= MAPPED_FROM:
        context = backend.map_recomputed(attend, turns, shared)
    else:
        folded = tuple(ops.reshape(x, (-1, *ops.shape(x)[2:])) for x in turns)
        shared = tuple(_for_each(x, num_regions) for x in shared)
        context = attend(folded, shared)  # (R * B, H, r, Dv)
        context = ops.reshape(context, (num_regions, -1, heads, size, width))
    context = ops.transpose(context, (1, 2, 0, 3, 4))  # (B, H, R, r, Dv)
    context = ops.reshape(context, (-1, heads, num_regions * size, width))
    return context[:, :, :steps]


def weigh_regions(query, key, value, importance, real, regions, pairs=None, drop=None):
    """`attend_regions` with the weights, and over the pairs that a mask shows.

    Each query has summaries of its own: of the tokens of a far region that `pairs` and
    `real` show it.

    Args:
        query: float `(B, H, T, D)`.
        key: float `(B, K, T, D)`.
        value: float `(B, K, T, Dv)`.
        importance: float32 `(B, K, T, 1)`.
        real: bool `(B, 1, T, 1)`.
        regions: `Regions`.
        pairs: bool `(B or 1, H or 1, T, T)`, or `None`.
        drop: function of the weights, for dropout, or `None`.

    Returns:
        `(context, weights)`: float `(B, H, T, Dv)` and `(B, H, T, T)`, the weight of a
        summary spread over its tokens.
    """
    size, heads, steps = regions.size, query.shape[1], ops.shape(query)[2]
    group = heads // key.shape[1]
    places = ops.arange(0, steps, dtype="int32")
    visible = ops.transpose(real, (0, 1, 3, 2))  # (B, 1, 1, T)
    visible = _cut(both(visible, pairs), size)  # (B, H or 1, T or 1, R, r)
    importance = ops.repeat(ops.transpose(importance, (0, 1, 3, 2)), group, axis=1)
    pooling, on_top = pooling_weights(_cut(importance, size), visible)
    query = ops.cast(query, "float32") * (1.0 / math.sqrt(query.shape[3]))
    scores = weighted_values(query, ops.transpose(key, (0, 1, 3, 2)))  # (B, H, T, T)
    scores = _cut(scores, size)  # (B, H, T, R, r)
    far_scores = ops.sum(pooling * scores, axis=-1) + on_top  # (B, H, T, R)

    num_regions = ops.shape(scores)[3]
    rows = ops.expand_dims(regions.of(places), 1)  # (T, 1)
    columns = ops.expand_dims(ops.arange(0, num_regions, dtype="int32"), 0)
    is_near = regions.near(rows, columns)[None, None, :, :, None]
    if regions.is_causal:
        slots = ops.arange(0, num_regions * size, dtype="int32")
        slots = ops.reshape(slots, (1, num_regions, size))
        is_near = both(is_near, (slots <= places[:, None, None])[None, None])
    near_mask = both(visible, is_near)  # (B, H or 1, T, R, r)
    far_mask = both(ops.any(visible, axis=-1), regions.far(rows, columns)[None, None])

    num_slots = num_regions * size
    shape = (-1, heads, steps, num_slots)
    near_mask = ops.reshape(near_mask, (-1, near_mask.shape[1], steps, num_slots))
    weights = masked_softmax(
        ops.concatenate([ops.reshape(scores, shape), far_scores], axis=-1),
        ops.concatenate([near_mask, far_mask], axis=-1),
    )  # (B, H, T, R r + R)

    def spread(weights):
        tokens, summaries = weights[..., :num_slots], weights[..., num_slots:]
        over = ops.reshape(ops.expand_dims(summaries, -1) * pooling, shape)
        return ops.cast((tokens + over)[..., :steps], value.dtype)

    used = spread(weights if drop is None else drop(weights))
    return weighted_values(used, value), spread(weights)


def with_channel(array, number):
    """One more channel that holds the number: `(.., D)` -> `(.., D + 1)`."""
    more = ops.zeros_like(array[..., :1]) + ops.cast(number, array.dtype)
    return ops.concatenate([array, more], axis=-1)


def with_importance(summaries):
    """The keys of summaries, whose importance meets the 1 in the queries' channel."""
    return ops.concatenate([summaries.key, summaries.importance], axis=-1)


def _fold(array, size):
    """`(B, heads, T, width)` -> `(B, heads, R, r, width)`, 0 or `False` at the end."""
    _, heads, steps, width = ops.shape(array)
    num_regions = (steps + size - 1) // size
    array = _pad(array, 2, num_regions * size - steps)
    return ops.reshape(array, (-1, heads, num_regions, size, width))


def _cut(array, size):
    """`(B, heads, rows, T)` -> `(B, heads, rows, R, r)`."""
    _, heads, rows, steps = ops.shape(array)
    num_regions = (steps + size - 1) // size
    array = _pad(array, 3, num_regions * size - steps)
    return ops.reshape(array, (-1, heads, rows, num_regions, size))


def _gather_near(array, before, after):
    """Each region with those beside it: `(.., R, r, X)` -> `(.., R, L, X)`."""
    num_regions = ops.shape(array)[2]
    array = _pad(array, 2, after, before)
    parts = [array[:, :, n : n + num_regions] for n in range(before + 1 + after)]
    return ops.concatenate(parts, axis=3)


def _pad(array, axis, after, before=0):
    width = [(0, 0)] * len(array.shape)
    width[axis] = (before, after)
    if keras.backend.standardize_dtype(array.dtype) == "bool":
        return ops.cast(ops.pad(ops.cast(array, "int32"), width), "bool")
    return ops.pad(array, width)


def _for_each(array, count):
    """`count` times the batch: `(B, ..)` -> `(count * B, ..)`."""
    shape = ops.shape(array)
    array = ops.broadcast_to(ops.expand_dims(array, 0), (count, *shape))
    return ops.reshape(array, (-1, *shape[1:]))
