"""attend_regions, weigh_regions: the loop; region by region == all at once."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import attend_regions as module
from keras_lm.layers.attend_regions import attend_regions, weigh_regions
from keras_lm.layers.regions import Regions
from tests.checks import assert_close, compiled, examples, gradients
from tests.reference import regional_attention

BATCH, HEADS, KEY_HEADS, WIDTH, VALUE_WIDTH = 2, 4, 2, 3, 5


def draw_arrays(draw, length):
    """`(query, key, value, importance, real)` and the vector of the importance."""
    query = draw.normal(size=(BATCH, HEADS, length, WIDTH)).astype("float32")
    key = draw.normal(size=(BATCH, KEY_HEADS, length, WIDTH)).astype("float32")
    value = draw.normal(size=(BATCH, KEY_HEADS, length, VALUE_WIDTH)).astype("float32")
    vector = 2 * draw.normal(size=(KEY_HEADS, WIDTH)).astype("float32")
    importance = np.einsum("bktd,kd->bkt", key, vector)[..., None] / np.sqrt(WIDTH)
    real = draw.random((BATCH, 1, length, 1)) < 0.8
    return (query, key, value, importance.astype("float32"), real), vector


def of_loop(arrays, vector, regions, pairs=True):
    query, key, value, _, real = arrays
    visible = real.transpose(0, 1, 3, 2) & pairs
    return regional_attention(query, key, value, vector, visible, [0, 0], *regions)


@examples(15)
@given(st.data())
def test_both_are_what_a_loop_gives(data):
    # Few lengths, as JAX compiles for each.
    length = data.draw(st.sampled_from([1, 6, 11]))
    size = data.draw(st.sampled_from([1, 2, 4]))
    regions = Regions(size, data.draw(st.integers(0, 2)), data.draw(st.booleans()))
    draw = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays, vector = draw_arrays(draw, length)
    pairs = draw.random((BATCH, 1, length, length)) < 0.7

    expected, expected_weights = of_loop(arrays, vector, regions)
    assert_close(compiled(attend_regions, regions=regions)(*arrays), expected)
    context, weights = compiled(weigh_regions, regions=regions)(*arrays)
    assert_close(context, expected)
    assert_close(weights, expected_weights)

    weigh = compiled(weigh_regions, regions=regions, pairs=pairs)
    context, weights = weigh(*arrays)
    expected, expected_weights = of_loop(arrays, vector, regions, pairs)
    assert_close(context, expected)
    assert_close(weights, expected_weights)


@pytest.mark.parametrize("is_causal", [True, False])
def test_region_by_region_gives_the_same_and_the_same_gradients(monkeypatch, is_causal):
    arrays, _ = draw_arrays(np.random.default_rng(seed=1), 17)
    real = ops.convert_to_tensor(arrays[-1])
    regions = Regions(3, 1, is_causal)
    taken = []

    def map_recomputed(function, chunks, shared):
        taken.append(len(chunks[0]))
        return inner(function, chunks, shared)

    inner = module.backend.map_recomputed
    monkeypatch.setattr(module.backend, "map_recomputed", map_recomputed)

    def total(query, key, value, importance):
        context = attend_regions(query, key, value, importance, real, regions)
        return ops.sum(context * ops.sin(context))

    monkeypatch.setattr(module, "MAPPED_FROM", float("inf"))
    value, grads = gradients(total, arrays[:-1])
    assert not taken
    monkeypatch.setattr(module, "MAPPED_FROM", 0)
    mapped_value, mapped_grads = gradients(total, arrays[:-1])

    assert set(taken) == {6}
    assert_close(mapped_value, value)
    for mapped, grad in zip(mapped_grads, grads, strict=True):
        assert np.abs(grad).max() > 1e-3
        assert_close(mapped, grad)


@pytest.mark.slow_elsewhere
def test_dropout_takes_weights_of_tokens_and_summaries():
    # To drop all but the last column of each region's softmax, a summary, leaves it.
    arrays, vector = draw_arrays(np.random.default_rng(seed=2), 6)
    arrays = (*arrays[:-1], np.ones_like(arrays[-1]))
    regions = Regions(size=2, neighbors=0, is_causal=False)
    last = 2

    def only_last(weights):
        return weights * ops.one_hot(weights.shape[-1] - 1, weights.shape[-1])

    context = attend_regions(*map(ops.convert_to_tensor, arrays), regions, only_last)
    weighed, weights = weigh_regions(
        *map(ops.convert_to_tensor, arrays), regions, drop=only_last
    )

    _, expected = of_loop(arrays, vector, regions)
    assert_close(weights, expected)  # not dropped
    expected[..., : last * 2] = 0  # what is left is the summary of the last region,
    expected[:, :, 4:] = 0  # which its own queries read token by token
    values = np.repeat(arrays[2], HEADS // KEY_HEADS, axis=1)
    assert_close(context, expected @ values)
    assert_close(weighed, expected @ values)


def test_a_long_text_is_taken_region_by_region_where_the_backend_keeps_scores():
    keeps_none = keras.backend.backend() == "torch"
    assert module.MAPPED_FROM == (float("inf") if keeps_none else 1024 * 1024)
