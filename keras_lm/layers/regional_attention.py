"""Attention to near regions token by token, and to far ones by their summaries."""

import functools
import math

import keras
from keras import ops

from keras_lm.layers.attend_regions import (
    attend_regions,
    weigh_regions,
    with_channel,
    with_importance,
)
from keras_lm.layers.attention import Attention
from keras_lm.layers.dot_product_attention import dot_product_attention
from keras_lm.layers.masks import Visibility, both
from keras_lm.layers.region_summaries import add_to_sums, read_sums, start_sums
from keras_lm.layers.regions import Regions
from keras_lm.layers.ring import read_ring, start_ring, write_ring
from keras_lm.layers.roll_rows import count_leading_hidden, roll_rows, unroll_rows


@keras.saving.register_keras_serializable(package="keras_lm")
class RegionalAttention(Attention):
    """Reads the regions near each query exactly, and a summary of every far one.

    A text is cut into regions of `r` tokens. With `u` a learned vector of each key
    head, a far region `J` is pooled by the importance of its tokens:

        c_j = k_j . u / sqrt(D)               importance of a token
        w_j = softmax_j(c_j), j in J          its part in the summary
        key_J = sum_j w_j k_j,  value_J = sum_j w_j v_j
        importance_J = log sum_j exp(c_j)

    and a query `t` of region `I` takes one softmax over the tokens of the near regions
    and the summaries of all others:

        q_t . k_s / sqrt(D)                     |I - J| <= p   (causal: and s <= t)
        q_t . key_J / sqrt(D) + importance_J    elsewhere      (causal: J < I - p)

    As `u` starts at 0, a summary starts as the mean of its region, with the mass of all
    its tokens. Time and memory grow with `T (p r + T / r)`, not with `T T`; a decode
    keeps the tokens of `p + 1` regions and a summary of each.

    Regions are counted from the first real token of each row, so a left-padded text is
    cut as it is alone; what stands before belongs to no region, and as a query sees
    nothing. Padding further on takes up places, but is never pooled or read. With
    rotary positions, importance is of the keys before they turn, so a token has the
    same wherever it stands. For self-attention only.

    Shapes: `B` batch, `H` heads, `K` key and value heads, `T` steps, `R` regions, `D`
    width of a head, `E` width.

    Args:
        num_heads: int, at least 1, `H`.
        key_dim: int, at least 1, `D`.
        region_size: int, at least 1, `r`. About the square root of the text's length
            costs least.
        neighbors: int, at least 0, `p`. Regions read exactly before the query's own
            and, where not causal, after it.
        pooling: "importance", or "mean": `u` is 0 and stays.
        **kwargs: of `Attention`, such as `num_key_value_heads` or `dropout`.

    Call arguments:
        query: float `(B, T, E)`; and all others of `MultiHeadAttention`. Asked for its
            weights, the layer works on all `T x T` pairs. With `attention_mask` too:
            each query then has summaries of its own, of the tokens that it may see.

    Returns:
        float `(B, T, output_dim)`; with `return_attention_scores` also the weights,
        float `(B, H, T, T)`, the weight of a summary spread over its tokens; rows sum
        to 1, or are 0 where nothing is visible.

    Raises:
        ValueError: `region_size` is below 1, `neighbors` below 0, `pooling` unknown,
            or keys and queries differ in length.

    Example:
        >>> attention = RegionalAttention(num_heads=4, key_dim=8, region_size=16)
        >>> hidden = keras.random.normal((2, 50, 32))
        >>> tuple(attention(hidden, use_causal_mask=True).shape)
        (2, 50, 32)
        >>> tuple(attention.relate_regions(hidden).shape)
        (2, 4, 4, 4)

    Source: https://arxiv.org/abs/2502.11089, section 3 (compressed blocks beside near
        tokens); https://aclanthology.org/N16-1174, equations 5 to 7 (importance).
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        region_size=64,
        neighbors=1,
        pooling="importance",
        **kwargs,
    ):
        if region_size < 1:
            raise ValueError(
                f"`region_size` must be at least 1. Received: region_size={region_size}"
            )
        if neighbors < 0:
            raise ValueError(
                f"`neighbors` must be at least 0. Received: neighbors={neighbors}"
            )
        if pooling not in ("importance", "mean"):
            raise ValueError(
                '`pooling` must be "importance" or "mean". '
                f"Received: pooling={pooling!r}"
            )
        super().__init__(num_heads, key_dim, **kwargs)
        self.region_size = region_size
        self.neighbors = neighbors
        self.pooling = pooling

    def build(self, query_shape, value_shape=None, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        if self.pooling == "importance":
            shape = (self.num_key_value_heads, self.key_dim)
            self.importance = self.add_weight(
                name="importance", shape=shape, initializer="zeros"
            )

    def attend(self, query, key, value, visibility, training):
        self._refuse_cross_attention(query, key)
        if visibility.attention_mask is not None:
            return self.weigh(query, key, value, visibility, training)[0]
        offset, arrays = self._from_first_token(query, key, value, visibility)
        regions, drop = self._regions(visibility.is_causal), self._drop(training)
        return unroll_rows(attend_regions(*arrays, regions, drop), offset)

    def weigh(self, query, key, value, visibility, training):
        self._refuse_cross_attention(query, key)
        offset, arrays = self._from_first_token(query, key, value, visibility)
        pairs = visibility.attention_mask
        if pairs is not None and offset is not None:
            shape = (ops.shape(query)[0], *ops.shape(pairs)[1:])
            pairs = ops.broadcast_to(pairs, shape)
            pairs = roll_rows(roll_rows(pairs, offset), offset, axis=3)
        regions, drop = self._regions(visibility.is_causal), self._drop(training)
        context, weights = weigh_regions(*arrays, regions, pairs, drop)
        weights = unroll_rows(unroll_rows(weights, offset), offset, axis=3)
        return unroll_rows(context, offset), weights

    def get_config(self):
        return {
            **super().get_config(),
            "region_size": self.region_size,
            "neighbors": self.neighbors,
            "pooling": self.pooling,
        }

    def initial_state(self, batch_size, max_length):
        """Room for the near tokens, and sums for each region; all keys are never kept.

        Args:
            batch_size: int or int scalar tensor, `B`.
            max_length: int, `L`.

        Returns:
            `{"near": ring of (neighbors + 1) * region_size slots, "regions": sums of
            ceil(L / region_size) regions, "offset": (B,)}`, zeros; see `layers.ring`
            and `layers.region_summaries`. `offset` counts the leading padding.
        """
        heads, dtype = self.num_key_value_heads, self.compute_dtype
        widths = {"key": self.key_dim, "value": self.value_dim}
        window = (self.neighbors + 1) * self.region_size
        num_regions = -(-max_length // self.region_size)
        return {
            "near": start_ring(batch_size, heads, window, widths, dtype),
            "regions": start_sums(batch_size, heads, num_regions, widths),
            "offset": ops.zeros((batch_size,), "int32"),
        }

    def step(self, query, state, now):
        """`Attention.step`, from the near tokens and the summaries."""
        q, k, v = self.project(query, query, query)
        importance = self._importance_of(k)
        if self.rotary is not None:
            q, k = self.rotary(q, now.position_ids), self.rotary(k, now.position_ids)
        offset, rows, places = _step_places(state["offset"], now)
        regions = self._regions(is_causal=True)
        # Regions that end in this step are summed already; only queries far behind
        # their end see them.
        sums = add_to_sums(state["regions"], k, v, importance, regions.of(places))
        far = read_sums(sums, k.dtype)
        near, near_places, _ = read_ring(state["near"], now.index)
        near_places = ops.concatenate([near_places, places], axis=1)  # (B, W + n)
        keys = with_channel(ops.concatenate([near["key"], k], axis=2), 0.0)
        values = ops.concatenate([near["value"], v, far.value], axis=2)
        context = dot_product_attention(
            with_channel(q * (1.0 / math.sqrt(self.key_dim)), 1.0),
            ops.concatenate([keys, with_importance(far)], axis=2),
            values,
            Visibility(
                attention_mask=regions.step_mask(rows, near_places, far.visible)
            ),
            scale=1.0,
        )
        ring = write_ring(state["near"], {"key": k, "value": v}, places, now.index)
        return self.merge(context), {"near": ring, "regions": sums, "offset": offset}

    def relate_regions(self, query, value=None, value_mask=None, use_causal_mask=False):
        """How much each region attends to each: the mean weight of its queries.

        Built from all `T x T` weights; regions count from each row's first real token.

        Args:
            query: float `(B, T, E)`.
            value: float `(B, T, E)`; `query` when `None`.
            value_mask: bool `(B, T)` or `None`. `True` = real.
            use_causal_mask: bool.

        Returns:
            float `(B, H, R, R)`; rows sum to 1, or are 0 for a region without tokens.
        """
        value = query if value is None else value
        value_mask = both(value_mask, getattr(value, "_keras_mask", None))
        _, weights = self(
            query,
            value,
            value_mask=value_mask,
            use_causal_mask=use_causal_mask,
            return_attention_scores=True,
        )
        steps = ops.shape(query)[1]
        places = ops.expand_dims(ops.arange(0, steps, dtype="int32"), 0)  # (1, T)
        if value_mask is not None:
            value_mask = ops.cast(value_mask, "bool")
            offset = ops.expand_dims(count_leading_hidden(value_mask), 1)
            places = ops.where(value_mask, places - offset, -1)  # (B, T)
        return self._regions(use_causal_mask).mean_weights(weights, places)

    def _from_first_token(self, query, key, value, visibility):
        """`(offset, arrays)`: what `attend_regions` takes, from the first token on."""
        real, offset = visibility.key_mask, count_leading_hidden(visibility.key_mask)
        if real is None:
            real = ops.ones_like(query[:, 0, :, 0], dtype="bool")  # (B, T)
        real = real[:, None, :, None]
        places = None if self.rotary is None else _places(key, visibility.key_mask)
        importance = self._importance_of(key, places)
        arrays = (query, key, value, importance, real)
        return offset, tuple(roll_rows(array, offset) for array in arrays)

    def _importance_of(self, key, places=None):
        """Float32 `(B, K, T, 1)`; of keys that have turned when they have places."""
        key = ops.cast(key, "float32")
        if self.pooling == "mean":
            return ops.zeros_like(key[..., :1])
        vector = ops.cast(self.importance, "float32")[None, :, None]  # (1, K, 1, D)
        if places is not None:  # the vector turns with the keys
            shape = (1, *ops.shape(key)[1:])
            vector = self.rotary(ops.broadcast_to(vector, shape), places)
            vector = ops.cast(vector, "float32")
        return ops.sum(key * vector, axis=-1, keepdims=True) / math.sqrt(self.key_dim)

    def _regions(self, is_causal):
        return Regions(self.region_size, self.neighbors, is_causal)

    def _drop(self, training):
        if not (training and self.dropout > 0):
            return None
        return functools.partial(self.dropout_layer, training=True)

    def _refuse_cross_attention(self, query, key):
        lengths = query.shape[2], key.shape[2]
        known = all(isinstance(length, int) for length in lengths)
        if known and lengths[0] != lengths[1]:
            raise ValueError(
                "RegionalAttention is for self-attention: queries and keys must have "
                f"one length. Received: lengths {lengths[0]} and {lengths[1]}"
            )


def _places(key, key_mask):
    """Places by which the keys have turned, int32 `(B or 1, T)`."""
    if key_mask is None:
        return ops.expand_dims(ops.arange(0, ops.shape(key)[2], dtype="int32"), 0)
    return ops.maximum(ops.cumsum(ops.cast(key_mask, "int32"), axis=1) - 1, 0)


def _step_places(offset, now):
    """`(offset, rows, places)` of a step: places counted from the first real token.

    `rows` are those of the queries, int32 `(B, n)`, below 0 before the first token;
    `places` those of the keys, -1 for padding.
    """
    steps = ops.shape(now.position_ids)[1]
    slots = now.index + ops.expand_dims(ops.arange(0, steps, dtype="int32"), 0)
    mask = now.padding_mask
    if mask is not None:
        # A row without tokens so far has as many places before its first as slots.
        leading = count_leading_hidden(mask)
        offset = ops.where(offset < now.index, offset, offset + leading)
    rows = slots - ops.expand_dims(offset, 1)
    return offset, rows, rows if mask is None else ops.where(mask, rows, -1)
