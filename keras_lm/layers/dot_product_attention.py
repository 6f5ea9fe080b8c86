"""Scaled dot-product attention (Vaswani et al., 2017), fused, in chunks or explicit."""

import itertools
import math

import keras
from keras import ops

from keras_lm import backend
from keras_lm.layers.masks import Visibility, both, masked_softmax, zero_blind_rows

# From so many scores per head on, queries are taken in chunks of CHUNK_SIZE.
CHUNKED_FROM = 1024 * 1024
CHUNK_SIZE = 128
if keras.backend.backend() == "torch":  # its kernel keeps no scores: larger is faster
    CHUNK_SIZE = 1024
# Where scores are built, so many causal queries are taken in so many parts. (With 256
# four parts took 0.73 of the time on JAX, but 1.6 times as long on TensorFlow.)
PARTED_FROM, NUM_PARTS = 512, 4


def dot_product_attention(
    query, key, value, visibility=None, scale=None, soft_cap=None
):
    """Attends with every query to every visible key.

    For each head: `context_t = sum_s softmax_s(q_t . k_s * scale) v_s`. Builds no
    `T x S` array where that would be large: the backend's fused kernel is used where
    there is one, and chunks of queries where there is none or it cannot cap scores.
    There, many causal queries are taken in parts, each without the keys behind it.

    Shapes: `B` batch, `H` heads, `K` key and value heads (`H` is a multiple), `T` query
    steps, `S` key steps, `D` and `Dv` widths of a head.

    Args:
        query: float `(B, H, T, D)`.
        key: float `(B, K, S, D)`.
        value: float `(B, K, S, Dv)`.
        visibility: `Visibility`; `None` hides nothing.
        scale: float. `1 / sqrt(D)` when `None`.
        soft_cap: float, above 0. Each score becomes `c tanh(score / c)`, which lies
            between `-c` and `c`. `None` leaves scores as they are.

    Returns:
        float `(B, H, T, Dv)`; 0 in rows that see no key.

    Source: https://arxiv.org/abs/1706.03762, equation 1;
        https://arxiv.org/abs/2408.00118, section 2 (`soft_cap`).
    """
    visibility = visibility or Visibility()
    scale = scale or 1.0 / math.sqrt(query.shape[-1])
    num_queries, num_keys = query.shape[2], key.shape[2]
    # Lengths may be unknown (`None`, or a symbol under JAX): take the explicit form.
    static = isinstance(num_queries, int) and isinstance(num_keys, int)
    only_causal = visibility.key_mask is None and visibility.attention_mask is None
    is_square = static and num_queries == num_keys
    maskless = only_causal and (is_square or not visibility.is_causal)
    if maskless and soft_cap is None:
        context = backend.fused_attention(
            query, key, value, None, visibility.is_causal, scale
        )
        if context is not None:
            return context
    in_chunks = static and num_queries * num_keys >= CHUNKED_FROM

    def attend(query, key, value, visibility):
        if in_chunks:
            return _in_chunks(query, key, value, visibility, scale, soft_cap)
        mask = visibility.mask(ops.shape(query)[2], ops.shape(key)[2])
        return _at_once(query, key, value, mask, scale, soft_cap)

    can_part = static and PARTED_FROM <= num_queries <= num_keys
    if can_part and visibility.is_causal and visibility.attention_mask is None:
        if backend.gains_in_turn():
            return _in_parts(attend, query, key, value, visibility)
    return attend(query, key, value, visibility)


def attention_weights(query, key, mask=None, scale=None, soft_cap=None):
    """Softmax of the scaled dot products, built whole.

    Args:
        query: float `(B, H, T, D)`.
        key: float `(B, K, S, D)`. Each serves `H / K` query heads, without a copy.
        mask: bool, broadcastable to `(B, H, T, S)`, or `None`.
        scale: float. `1 / sqrt(D)` when `None`.
        soft_cap: float, above 0, or `None`. See `dot_product_attention`.

    Returns:
        float `(B, H, T, S)` in the dtype of `query`; each row sums to 1, or is 0 where
        nothing is visible.
    """
    scores = attention_scores(query, key, scale)
    if soft_cap is not None:
        scores = soft_cap * ops.tanh(ops.cast(scores, "float32") / soft_cap)
    return ops.cast(masked_softmax(scores, mask), query.dtype)


def attention_scores(query, key, scale=None):
    """The scaled dot products before the softmax, built whole.

    Args:
        query: float `(B, H, T, D)`.
        key: float `(B, K, S, D)`. Each serves `H / K` query heads, without a copy.
        scale: float. `1 / sqrt(D)` when `None`.

    Returns:
        float `(B, H, T, S)` in the dtype of `query`, or float32 for float16.
    """
    scale = scale or 1.0 / math.sqrt(query.shape[-1])
    if keras.backend.standardize_dtype(query.dtype) == "float16":
        # The product of two float16 vectors may pass 65,504, its largest number.
        query = ops.cast(query, "float32")
    return _fold_product(query * scale, _transpose(key))


def weighted_values(weights, value):
    """The mean of the values under the weights.

    Args:
        weights: float `(B, H, T, S)`.
        value: float `(B, K, S, Dv)`.

    Returns:
        float `(B, H, T, Dv)`.
    """
    return _fold_product(weights, value)


def _transpose(key):
    return ops.transpose(key, (0, 1, 3, 2))  # (B, K, D, S)


def _fold_product(left, right):
    """`left (B, H, T, X) @ right (B, K, X, Y)`; a group of heads shares `right`."""
    right = ops.cast(right, left.dtype)
    num_heads, num_shared = left.shape[1], right.shape[1]
    if num_heads == num_shared:
        return backend.multiply_heads(left, right)
    steps, width = ops.shape(left)[2], ops.shape(left)[3]
    rows = num_heads // num_shared * steps
    folded = ops.reshape(left, (-1, num_shared, rows, width))
    product = backend.multiply_heads(folded, right)  # (B, K, H / K * T, Y)
    return ops.reshape(product, (-1, num_heads, steps, ops.shape(right)[3]))


def _at_once(query, key, value, mask, scale, soft_cap):
    context = None
    if soft_cap is None:
        context = backend.fused_attention(query, key, value, mask, False, scale)
    if context is None:
        weights = attention_weights(query, key, mask, scale, soft_cap)
        return weighted_values(weights, value)
    return zero_blind_rows(context, mask)


def _in_parts(attend, query, key, value, visibility):
    """Parts of the queries, each without the keys that none of its queries sees.

    Of the products of a square 5 of 8 are left, with four parts.
    """
    num_queries, num_keys = query.shape[2], key.shape[2]
    ends = [num_queries * part // NUM_PARTS for part in range(NUM_PARTS + 1)]
    contexts = []
    for start, end in itertools.pairwise(ends):
        seen = num_keys - num_queries + end
        key_mask = visibility.key_mask
        if key_mask is not None:
            key_mask = key_mask[:, :seen]
        contexts.append(
            attend(
                query[:, :, start:end],
                key[:, :, :seen],
                value[:, :, :seen],
                visibility._replace(key_mask=key_mask),
            )
        )
    return ops.concatenate(contexts, axis=2)


def _in_chunks(query, key, value, visibility, scale, soft_cap):
    """`CHUNK_SIZE` queries at a time: memory grows with S only."""
    num_queries, num_keys = query.shape[2], key.shape[2]
    num_chunks = -(-num_queries // CHUNK_SIZE)
    padded = num_chunks * CHUNK_SIZE

    def split(array):  # (B, H, T, X) -> (chunks, B, H, CHUNK_SIZE, X)
        array = ops.pad(array, ((0, 0), (0, 0), (0, padded - num_queries), (0, 0)))
        shape = (-1, array.shape[1], num_chunks, CHUNK_SIZE, array.shape[3])
        return ops.transpose(ops.reshape(array, shape), (2, 0, 1, 3, 4))

    mask = visibility.attention_mask
    if mask is not None:
        shape = (*ops.shape(mask)[:2], num_queries, num_keys)
        mask = split(ops.broadcast_to(mask, shape))
    first_places = ops.arange(0, padded, CHUNK_SIZE, dtype="int32")  # (chunks,)

    def attend(chunk, shared):
        some_queries, some_mask, first_place = chunk
        key, value, key_mask = shared
        seen = Visibility(key_mask, some_mask).mask(CHUNK_SIZE, num_keys)
        if visibility.is_causal:
            places = first_place + ops.arange(0, CHUNK_SIZE, dtype="int32")
            places = ops.expand_dims(places + (num_keys - num_queries), 1)
            causal = (
                ops.expand_dims(ops.arange(0, num_keys, dtype="int32"), 0) <= places
            )
            seen = both(seen, ops.reshape(causal, (1, 1, CHUNK_SIZE, num_keys)))
        return _at_once(some_queries, key, value, seen, scale, soft_cap)

    context = backend.map_recomputed(
        attend, (split(query), mask, first_places), (key, value, visibility.key_mask)
    )  # (chunks, B, H, CHUNK_SIZE, Dv)
    context = ops.transpose(context, (1, 2, 0, 3, 4))
    shape = (-1, query.shape[1], padded, value.shape[3])
    return ops.reshape(context, shape)[:, :, :num_queries]
