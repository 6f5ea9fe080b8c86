"""Sliding-window attention with global tokens (Beltagy et al., 2020)."""

import keras
from keras import ops

from keras_lm.layers.attention import Attention
from keras_lm.layers.blocks import cut_blocks, each_block, join_blocks
from keras_lm.layers.dot_product_attention import (
    attention_weights,
    dot_product_attention,
    weighted_values,
)
from keras_lm.layers.masks import Visibility, both
from keras_lm.layers.ring import read_ring, start_ring, write_ring


@keras.saving.register_keras_serializable(package="keras_lm")
class LocalAttention(Attention):
    """Each query sees the keys near it, and a few global ones.

    With window `w` and `g` global tokens (the first real ones of each row), query `t`
    sees key `s` when

        t - w < s <= t    or  s < g and s <= t              (causal)
        |t - s| < w       or  s < g  or  t < g              (not causal)

    The sequence is cut into blocks of `w`, each of which attends to itself and its
    neighbours: time and memory grow with `T w`, not with `T T`. In a decode a ring of
    `w` slots is kept, however long the text grows.

    Differs from `sliding_window` of `keras.layers.MultiHeadAttention`, which means the
    same window, but as a mask over all `T x T` products. Distances count padded
    positions; global tokens do not. For self-attention only.

    Shapes: `B` batch, `H` heads, `T` steps, `D` width of a head, `E` width.

    Args:
        num_heads: int, at least 1, `H`.
        key_dim: int, at least 1, `D`.
        window: int, at least 1, `w`. The key itself counts.
        num_global_tokens: int, at least 0, `g`. In causal use they are the sinks that
            keep long texts stable.
        **kwargs: of `Attention`, such as `num_key_value_heads` or `dropout`.

    Call arguments:
        query: float `(B, T, E)`; and all others of `MultiHeadAttention`. With
            `attention_mask`, which is of size `T x T` itself, or asked for its
            weights, the layer works on all `T x T` pairs.

    Returns:
        float `(B, T, output_dim)`; with `return_attention_scores` also the weights,
        float `(B, H, T, T)`, whose rows sum to 1, or are 0 where nothing is visible.

    Raises:
        ValueError: `window` is below 1, `num_global_tokens` below 0, or keys and
            queries differ in length.

    Example:
        >>> attention = LocalAttention(num_heads=4, key_dim=8, window=16)
        >>> hidden = keras.random.normal((2, 50, 32))
        >>> tuple(attention(hidden, use_causal_mask=True).shape)
        (2, 50, 32)

    Source: https://arxiv.org/abs/2004.05150, section 3.1;
        https://arxiv.org/abs/2309.17453 (global tokens as sinks).
    """

    def __init__(self, num_heads, key_dim, window=256, num_global_tokens=0, **kwargs):
        if window < 1:
            raise ValueError(f"`window` must be at least 1. Received: window={window}")
        if num_global_tokens < 0:
            raise ValueError(
                "`num_global_tokens` must be at least 0. "
                f"Received: num_global_tokens={num_global_tokens}"
            )
        super().__init__(num_heads, key_dim, **kwargs)
        self.window = window
        self.num_global_tokens = num_global_tokens

    def attend(self, query, key, value, visibility, training):
        self._refuse_cross_attention(query, key)
        if visibility.attention_mask is not None:
            return self.weigh(query, key, value, visibility, training)[0]
        places = _places(key, visibility.key_mask)  # (B or 1, T), -1 = hidden
        chosen = self._chosen(places)  # (B or 1, g, T)
        context = self._near(query, key, value, places, chosen, visibility, training)
        if self.num_global_tokens == 0 or visibility.is_causal:
            return context
        rows = ops.cast(ops.expand_dims(chosen, 1), query.dtype)  # (B, 1, g, T)
        seeing_all = self._mean(
            ops.matmul(rows, query),
            key,
            value,
            Visibility(key_mask=visibility.key_mask),
            training,
        )  # (B, H, g, Dv)
        back = ops.matmul(ops.transpose(rows, (0, 1, 3, 2)), seeing_all)
        is_row = ops.any(chosen, axis=1)[:, None, :, None]
        return ops.where(is_row, back, context)

    def weigh(self, query, key, value, visibility, training):
        self._refuse_cross_attention(query, key)
        mask = self._whole_mask(key, visibility)
        weights = attention_weights(query, key, mask)
        dropped = self.dropout_layer(weights, training=training)
        return weighted_values(dropped, value), weights

    def get_config(self):
        return {
            **super().get_config(),
            "window": self.window,
            "num_global_tokens": self.num_global_tokens,
        }

    def initial_state(self, batch_size, max_length):
        """An empty ring of `window` slots, and room for the global tokens.

        Args:
            batch_size: int or int scalar tensor, `B`.
            max_length: int. Ignored: the ring does not grow with the text.

        Returns:
            dict of arrays of zeros; see `layers.ring`.
        """
        heads, dtype = self.num_key_value_heads, self.compute_dtype
        widths = {"key": self.key_dim, "value": self.value_dim}
        state = start_ring(batch_size, heads, self.window, widths, dtype)
        if self.num_global_tokens:  # LiteRT's XNNPACK refuses arrays of no elements
            for name, width in widths.items():
                shape = (batch_size, heads, self.num_global_tokens, width)
                state[f"global_{name}"] = ops.zeros(shape, dtype)
        return state

    def step(self, query, state, now):
        """`Attention.step`, from a ring of `window` slots."""
        q, k, v = self.project(query, query, query)
        if self.rotary is not None:
            q, k = self.rotary(q, now.position_ids), self.rotary(k, now.position_ids)
        places = now.position_ids
        if now.padding_mask is not None:
            places = ops.where(now.padding_mask, places, -1)
        new = write_ring(state, {"key": k, "value": v}, places, now.index)
        near, mask = self._step_mask(state, places, now)
        keys, values = [near["key"], k], [near["value"], v]
        if self.num_global_tokens:
            chosen = ops.cast(ops.expand_dims(self._chosen(places), 1), k.dtype)
            new["global_key"] = state["global_key"] + ops.matmul(chosen, k)
            new["global_value"] = state["global_value"] + ops.matmul(chosen, v)
            keys.insert(0, new["global_key"])
            values.insert(0, new["global_value"])
        context = self._mean(
            q,
            ops.concatenate(keys, axis=2),
            ops.concatenate(values, axis=2),
            Visibility(attention_mask=mask),
            training=False,
        )
        return self.merge(context), new

    def _step_mask(self, state, places, now):
        """The ring's keys and values, and the mask over global, ring and new keys."""
        new_slots = now.index + ops.arange(0, ops.shape(places)[1], dtype="int32")
        near, ring_places, ring_slots = read_ring(state, now.index)
        slots = ops.concatenate([ring_slots, new_slots], axis=0)  # (W + n,)
        all_places = ops.concatenate([ring_places, places + 0 * now.index], axis=1)
        distance = ops.expand_dims(new_slots, 1) - ops.expand_dims(slots, 0)
        is_near = both(distance >= 0, distance < self.window)  # (n, W + n)
        is_key = all_places >= self.num_global_tokens  # (B, W + n)
        mask = both(ops.expand_dims(is_near, 0), ops.expand_dims(is_key, 1))
        if self.num_global_tokens:
            first = ops.arange(0, self.num_global_tokens, dtype="int32")
            rows = ops.expand_dims(now.position_ids, -1)  # (B, n, 1)
            is_global = ops.reshape(first, (1, 1, -1)) <= rows  # (B, n, g)
            mask = ops.concatenate([is_global, mask], axis=-1)
        return near, ops.expand_dims(mask, 1)  # (B, 1, n, g + W + n)

    def _near(self, query, key, value, places, chosen, visibility, training):
        """Each block of `window` queries with the blocks beside it: `(B, H, T, Dv)`."""
        size, causal = self.window, visibility.is_causal
        beside = {"before": 1, "after": 0 if causal else 1}
        places = ops.expand_dims(ops.expand_dims(places, 1), -1)  # (B or 1, 1, T, 1)
        queries = cut_blocks(query, size)  # (N, B, H, size, D)
        keys = cut_blocks(key, size, **beside)  # (N, B, K, L, D)
        values = cut_blocks(value, size, **beside)
        places = cut_blocks(places, size, **beside, fill=-1)  # (N, B or 1, 1, L, 1)
        per_block = [places]
        if self.num_global_tokens:
            shared = ops.cast(ops.expand_dims(chosen, 1), key.dtype)
            keys = _with_global(ops.matmul(shared, key), keys)
            values = _with_global(ops.matmul(shared, value), values)
            per_block += self._global_rows(chosen, ops.shape(queries)[0], causal)
        lead = ops.shape(queries)[:2]
        per_block = [ops.broadcast_to(x, (*lead, *ops.shape(x)[2:])) for x in per_block]

        def attend(queries, keys, values, places, *global_rows):
            is_key = ops.transpose(places >= self.num_global_tokens, (0, 1, 3, 2))
            mask = both(is_key, self._band(causal))  # (B, 1, size, L)
            if global_rows:
                first, rows = global_rows
                mask = ops.concatenate([first <= rows, mask], axis=-1)
            seen = Visibility(attention_mask=mask)
            return self._mean(queries, keys, values, seen, training)

        drops = bool(training) and self.dropout > 0
        arrays = (queries, keys, values, *per_block)
        context = each_block(attend, arrays, in_turn=not drops)
        return join_blocks(context, ops.shape(query)[2])

    def _band(self, causal):
        """Bool `(1, 1, size, L)`: the pairs of a block that are near enough."""
        size = self.window
        rows = ops.arange(0, size, dtype="int32")
        columns = ops.arange(0, (2 if causal else 3) * size, dtype="int32") - size
        distance = ops.expand_dims(rows, 1) - ops.expand_dims(columns, 0)
        low = 0 if causal else 1 - size
        return both(distance >= low, distance < size)[None, None]

    def _mean(self, query, key, value, visibility, training):
        if not (training and self.dropout > 0):
            return dot_product_attention(query, key, value, visibility)
        mask = visibility.mask(ops.shape(query)[2], ops.shape(key)[2])
        weights = attention_weights(query, key, mask)
        return weighted_values(self.dropout_layer(weights, training=True), value)

    def _chosen(self, places):
        """Which position is which global token, bool `(B or 1, g, T)`."""
        first = ops.arange(0, self.num_global_tokens, dtype="int32")
        return ops.equal(ops.expand_dims(places, 1), ops.reshape(first, (1, -1, 1)))

    def _global_rows(self, chosen, num_blocks, causal):
        """From which row on each global token is seen, and the rows of each block.

        Int32 `(1, B or 1, 1, 1, g)` and `(N, 1, 1, window, 1)`.
        """
        num_rows = num_blocks * self.window
        rows = ops.arange(0, num_rows, dtype="int32")
        steps = ops.arange(0, ops.shape(chosen)[2], dtype="int32")
        first = ops.sum(ops.where(chosen, steps if causal else 0, 0), axis=-1)
        first = ops.where(ops.any(chosen, axis=-1), first, num_rows)  # (B or 1, g)
        rows = ops.reshape(rows, (-1, 1, 1, self.window, 1))
        return first[None, :, None, None], rows

    def _whole_mask(self, key, visibility):
        """Bool `(B or 1, H or 1, T, T)`: window, global tokens and masks."""
        steps = ops.arange(0, ops.shape(key)[2], dtype="int32")
        distance = ops.expand_dims(steps, 1) - ops.expand_dims(steps, 0)
        near = ops.expand_dims(ops.abs(distance) < self.window, 0)  # (1, T, T)
        if self.num_global_tokens:
            places = _places(key, visibility.key_mask)
            is_global = ops.any(self._chosen(places), axis=1)  # (B or 1, T)
            near = ops.logical_or(near, ops.expand_dims(is_global, 1))
            if not visibility.is_causal:
                near = ops.logical_or(near, ops.expand_dims(is_global, 2))
        length = ops.shape(key)[2]
        return both(visibility.mask(length, length), ops.expand_dims(near, 1))

    def _refuse_cross_attention(self, query, key):
        lengths = query.shape[2], key.shape[2]
        known = all(isinstance(length, int) for length in lengths)
        if known and lengths[0] != lengths[1]:
            raise ValueError(
                "LocalAttention is for self-attention: queries and keys must have one "
                f"length. Received: lengths {lengths[0]} and {lengths[1]}"
            )


def _places(key, key_mask):
    """Int32 `(B or 1, T)`: the place of each real key in its row, -1 for the others."""
    if key_mask is None:
        return ops.expand_dims(ops.arange(0, ops.shape(key)[2], dtype="int32"), 0)
    return ops.where(key_mask, ops.cumsum(ops.cast(key_mask, "int32"), axis=1) - 1, -1)


def _with_global(shared, blocks):
    """Puts `shared (B, K, g, D)` first in each block of `(N, B, K, L, D)`."""
    shape = (ops.shape(blocks)[0], *ops.shape(shared))
    shared = ops.broadcast_to(ops.expand_dims(shared, 0), shape)
    return ops.concatenate([shared, blocks], axis=3)
