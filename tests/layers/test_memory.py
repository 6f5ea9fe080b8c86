"""memory: recalled from a memory == attended to the source itself."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers import BayesianAttention, DynamicAttention, MultiHeadAttention
from keras_lm.layers.memory import recall, recall_with_weights, remember
from tests.checks import assert_close, compiled, padding

rng = np.random.default_rng(seed=0)
QUERY = rng.normal(size=(2, 3, 6)).astype("float32")  # (B, n, E)
SOURCE = rng.normal(size=(2, 5, 7)).astype("float32")  # (B, S, E)
REAL = padding(2, 5)
KINDS = [MultiHeadAttention, DynamicAttention, BayesianAttention]


@pytest.mark.parametrize("real", [None, REAL], ids=["whole", "padded"])
@pytest.mark.parametrize("kind", KINDS)
def test_recalled_equals_attended(kind, real):
    attention = kind(6, 4, value_dim=3, num_key_value_heads=2, qk_norm=True)
    attention(QUERY, SOURCE)
    call = compiled(attention, return_attention_scores=True)
    expected, shares = call(QUERY, SOURCE, value_mask=real)

    def look(query, source, real):
        memory = remember(attention, source)
        output = recall(attention, query, memory, real)
        return memory, output, recall_with_weights(attention, query, memory, real)

    query, source = ops.convert_to_tensor(QUERY), ops.convert_to_tensor(SOURCE)
    real = None if real is None else ops.convert_to_tensor(real)
    memory, output, (again, weights) = compiled(look)(query, source, real)

    assert tuple(memory["key"].shape) == (2, 2, 5, 4)
    assert tuple(memory["value"].shape) == (2, 2, 5, 3)
    for actual in (output, again):
        assert_close(actual, expected)
    assert_close(weights, shares)
