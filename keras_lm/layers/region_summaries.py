"""A summary of each region: its keys and values pooled by the importance of its tokens.

With importances `c_j` of the visible tokens `j` of a region:

    weights_j  = softmax_j(c_j)
    key        = sum_j weights_j k_j       value = sum_j weights_j v_j
    importance = log sum_j exp(c_j)

They are kept as sums, a dictionary, so that tokens can be added as they come:
`max`, float32 `(B, K, R)`, `m`, the largest `c_j`;
`sum`, float32 `(B, K, R)`, of `exp(c_j - m)`;
`key` and `value`, float32 `(B, K, R, D)`, of `exp(c_j - m) k_j` and `exp(c_j - m) v_j`.
All zeros is a region without tokens.
"""

from typing import Any, NamedTuple

from keras import ops

from keras_lm.layers.masks import mask_scores


class Summaries(NamedTuple):
    """What queries see of far regions.

    Shapes: `B` batch, `K` key and value heads, `R` regions, `D`, `Dv` widths of a head.

    Args:
        key: float `(B, K, R, D)`.
        value: float `(B, K, R, Dv)`.
        importance: float `(B, K, R, 1)`, what a region's score has on top.
        visible: bool `(B or 1, R)`. Whether a region has any token to show.
    """

    key: Any
    value: Any
    importance: Any
    visible: Any


def pooling_weights(importance, visible):
    """How much each token has of its region, and the importance of the region.

    Args:
        importance: float32 `(.., r)`, of the tokens of a region.
        visible: bool, broadcastable with `importance`. Hidden tokens have weight 0.

    Returns:
        `(weights, importance)`: float32 `(.., r)`, rows sum to 1, or are 0 where
        nothing is visible, and float32 `(..,)`, 0 there.
    """
    largest, shares = _shares(importance, visible, axis=-1)
    total = ops.sum(shares, axis=-1, keepdims=True)
    weights = shares / ops.where(total > 0, total, 1.0)
    return weights, ops.squeeze(_log_total(largest, total), -1)


def sum_regions(key, value, importance, visible):
    """The sums of whole regions, at once.

    Args:
        key: float `(B, K, R, r, D)`, in regions of `r` tokens.
        value: float `(B, K, R, r, Dv)`.
        importance: float32 `(B, K, R, r, 1)`.
        visible: bool `(B or 1, 1, R, r, 1)`.

    Returns:
        The sums: a dictionary, see the top of this file.
    """
    largest, shares = _shares(importance, visible, axis=3)  # (B, K, R, r, 1)
    return {
        "max": ops.squeeze(largest, (3, 4)),
        "sum": ops.sum(shares, axis=(3, 4)),
        "key": ops.sum(shares * ops.cast(key, "float32"), axis=3),
        "value": ops.sum(shares * ops.cast(value, "float32"), axis=3),
    }


def start_sums(batch_size, num_heads, num_regions, widths):
    """The sums before the first token.

    Args:
        batch_size: int or int scalar tensor, `B`.
        num_heads: int, `K`.
        num_regions: int, `R`.
        widths: dict, `{"key": D, "value": Dv}`.

    Returns:
        The sums: a dictionary, see the top of this file.
    """
    shape = (batch_size, num_heads, num_regions)
    sums = {name: ops.zeros((*shape, widths[name]), "float32") for name in widths}
    return {"max": ops.zeros(shape), "sum": ops.zeros(shape), **sums}


def add_to_sums(sums, key, value, importance, regions):
    """The sums after `n` more tokens, of whatever regions.

    Args:
        sums: see the top of this file.
        key: float `(B, K, n, D)`.
        value: float `(B, K, n, Dv)`.
        importance: float32 `(B, K, n, 1)`.
        regions: int32 `(B, n)`, the region of each token; below 0 for padding.

    Returns:
        The sums: a dictionary, see the top of this file.
    """
    num_regions = ops.shape(sums["sum"])[2]
    numbers = ops.arange(0, num_regions, dtype="int32")
    is_in = ops.equal(ops.reshape(numbers, (1, -1, 1)), ops.expand_dims(regions, 1))
    is_in = ops.expand_dims(is_in, 1)  # (B, 1, R, n)
    importance = ops.transpose(importance, (0, 1, 3, 2))  # (B, K, 1, n)
    before = mask_scores(sums["max"], sums["sum"] > 0)  # (B, K, R)
    scores = mask_scores(importance, is_in)  # (B, K, R, n)
    largest = ops.maximum(before, ops.max(scores, axis=-1))
    kept = ops.exp(before - largest)
    shares = ops.exp(scores - ops.expand_dims(largest, -1))
    shares = ops.where(is_in, shares, 0.0)  # (B, K, R, n)
    new = {"max": largest, "sum": sums["sum"] * kept + ops.sum(shares, axis=-1)}
    for name, array in (("key", key), ("value", value)):
        more = ops.matmul(shares, ops.cast(array, "float32"))  # (B, K, R, D)
        new[name] = sums[name] * ops.expand_dims(kept, -1) + more
    return new


def read_sums(sums, dtype):
    """The summaries.

    Args:
        sums: see the top of this file.
        dtype: str, of the summaries.

    Returns:
        `Summaries`.
    """
    largest, total = (ops.expand_dims(sums[name], -1) for name in ("max", "sum"))
    divisor = ops.where(total > 0, total, 1.0)
    return Summaries(
        key=ops.cast(sums["key"] / divisor, dtype),
        value=ops.cast(sums["value"] / divisor, dtype),
        importance=ops.cast(_log_total(largest, total), dtype),
        visible=sums["sum"][:, 0] > 0,
    )


def _shares(importance, visible, axis):
    """The largest importance, and `exp(c_j - largest)`; 0 for hidden tokens."""
    scores = mask_scores(importance, visible)
    largest = ops.stop_gradient(ops.max(scores, axis=axis, keepdims=True))
    return largest, ops.where(visible, ops.exp(scores - largest), 0.0)


def _log_total(largest, total):
    """`log sum_j exp(c_j)`, 0 where there is nothing to sum."""
    is_any = total > 0
    return ops.where(is_any, largest + ops.log(ops.where(is_any, total, 1.0)), 0.0)
