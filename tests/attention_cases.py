"""Attention in heads, of any small size and with any masks: what loops are held to."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers.masks import Visibility
from tests import reference
from tests.checks import assert_close, compiled


class AttentionCase(NamedTuple):
    """Queries, keys and values in heads, and who sees whom, as NumPy.

    Args:
        query: float32 `(B, H, T, D)`.
        key: float32 `(B, K, S, D)`.
        value: float32 `(B, K, S, Dv)`.
        key_mask: bool `(B, S)` or `None`.
        pairs: bool `(B or 1, H or 1, T, S)` or `None`.
        is_causal: bool.
    """

    query: Any
    key: Any
    value: Any
    key_mask: Any
    pairs: Any
    is_causal: bool

    @property
    def heads(self):
        """Queries, keys and values."""
        return self.query, self.key, self.value

    @property
    def real(self):
        """Bool `(B, S)`, the keys that `key_mask` shows."""
        shape = self.key.shape[0], self.key.shape[2]
        return np.ones(shape, "bool") if self.key_mask is None else self.key_mask

    @property
    def visible(self):
        """Bool `(B, H, T, S)`: all masks in one."""
        queries, keys = self.query.shape[2], self.key.shape[2]
        seen = np.ones((*self.query.shape[:3], keys), "bool")
        seen &= self.real[:, None, None]
        if self.pairs is not None:
            seen &= self.pairs
        return seen & reference.causal(queries, keys) if self.is_causal else seen

    @property
    def sizes(self):
        """Arguments of an attention layer with these heads."""
        return {
            "num_heads": self.query.shape[1],
            "key_dim": self.query.shape[3],
            "value_dim": self.value.shape[3],
            "num_key_value_heads": self.key.shape[1],
        }


def make_case(
    seed=0,
    batch=2,
    kv_heads=2,
    group=3,
    queries=5,
    keys=None,
    width=4,
    value_width=3,
    masks="keys",
    is_causal=True,
):
    """Random numbers and masks of these sizes; some rows may see nothing.

    Args:
        seed: int.
        batch: int, `B`.
        kv_heads: int, `K`.
        group: int, `H / K`.
        queries: int, `T`.
        keys: int, `S`; `T` when `None`.
        width: int, `D`.
        value_width: int, `Dv`.
        masks: str; "keys", "pairs" and "heads" (pairs of each head) in it say which.
        is_causal: bool.

    Returns:
        `AttentionCase`.
    """
    rng = np.random.default_rng(seed)
    keys = queries if keys is None else keys
    heads = kv_heads * group
    shapes = [
        (batch, heads, queries, width),
        (batch, kv_heads, keys, width),
        (batch, kv_heads, keys, value_width),
    ]
    arrays = [rng.normal(size=shape).astype("float32") for shape in shapes]
    key_mask = rng.random((batch, keys)) < 0.7 if "keys" in masks else None
    pairs = None
    if "pairs" in masks:
        pairs = rng.random((batch, 1, queries, keys)) < 0.7
    if "heads" in masks:
        pairs = rng.random((1, heads, queries, keys)) < 0.7
    return AttentionCase(*arrays, key_mask, pairs, is_causal)


def attention_cases(keys=None):
    """A hypothesis strategy of `AttentionCase`s.

    Args:
        keys: strategy of `S`; as many as queries when `None`.

    Returns:
        strategy.
    """
    return st.builds(
        make_case,
        seed=st.integers(0, 999),
        batch=st.integers(1, 3),
        kv_heads=st.integers(1, 2),
        group=st.integers(1, 3),
        queries=st.integers(1, 11),
        keys=st.none() if keys is None else keys,
        width=st.integers(1, 4),
        value_width=st.integers(1, 4),
        masks=st.sampled_from(["", "keys", "pairs", "keys, heads"]),
        is_causal=st.booleans(),
    )


def check_case(layer, case, expected, expected_weights):
    """Fails unless `attend` and `weigh` give this context, and `weigh` these weights.

    Args:
        layer: an `Attention`, built if it has weights of its own.
        case: `AttentionCase`.
        expected: `(B, H, T, Dv)`.
        expected_weights: `(B, H, T, S)`.
    """
    masks = [x for x in (case.key_mask, case.pairs) if x is not None]

    def both_ways(heads, masks):
        rest = iter(masks)
        key_mask = None if case.key_mask is None else next(rest)
        pairs = None if case.pairs is None else next(rest)
        seen = Visibility(key_mask, pairs, case.is_causal)
        context = layer.attend(*heads, seen, training=False)
        return context, *layer.weigh(*heads, seen, training=False)

    heads, masks = (
        [ops.convert_to_tensor(x) for x in xs] for xs in (case.heads, masks)
    )
    attended, weighed, weights = compiled(both_ways)(heads, masks)
    assert_close(attended, expected)
    assert_close(weighed, expected)
    assert_close(weights, expected_weights)
