"""RecurrentAttention, the skeleton: masks, steps, chunks, padding, its demands."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import BahdanauAttention, LuongAttention, RecurrentAttention
from keras_lm.layers import recurrent_attention as skeleton
from tests import reference
from tests.checks import (
    JIT,
    assert_close,
    check_leakage,
    check_query_mask,
    check_weights,
    compiled,
    padding,
)

rng = np.random.default_rng(seed=0)
HIDDEN = rng.normal(size=(2, 7, 6)).astype("float32")  # (B, T, E)
QUERY = rng.normal(size=(3, 5, 4)).astype("float32")  # (B, T, Dq)
VALUE = rng.normal(size=(3, 7, 6)).astype("float32")  # (B, S, Dv)

GLOBAL = {
    "additive": (BahdanauAttention, {"units": 5}),
    "general": (LuongAttention, {}),
    "concat": (LuongAttention, {"score": "concat", "units": 3}),
}
PREDICTIVE = {"local": "predictive", "window": 2}
LOCAL = {
    "monotonic": (LuongAttention, {"local": "monotonic", "window": 2}),
    "predictive": (LuongAttention, {"score": "concat", **PREDICTIVE}),
    "output": (LuongAttention, {"output_dim": 5, **PREDICTIVE}),
}
ALL = {**GLOBAL, **LOCAL}


def make(kind, query=QUERY, value=VALUE):
    layer_class, arguments = ALL[kind]
    layer = layer_class(**arguments)
    layer(query, value)
    return layer


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("kind", ALL)
def test_what_is_hidden_moves_nothing(kind):
    check_leakage(make(kind, HIDDEN, HIDDEN), HIDDEN)


@pytest.mark.parametrize("kind", [*GLOBAL, "predictive"])
def test_weights_and_blind_rows(kind):
    layer = make(kind, HIDDEN, HIDDEN)
    check_weights(layer, HIDDEN)
    check_query_mask(layer, HIDDEN)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("side", ["none", "right", "left"])
def test_steps_equal_the_whole_sequence(kind, side):
    layer = make(kind)
    real = None if side == "none" else padding(3, 7, left=side == "left")
    whole, weights = layer(QUERY, VALUE, value_mask=real, return_attention_scores=True)
    memory = layer.remember(VALUE, value_mask=real)
    assert all(len(array) == 3 for array in memory.values())  # batch axis first
    step = compiled(layer.step)
    for piece in (1, 2):
        for start in range(0, 5, piece):
            places = np.arange(start, min(start + piece, 5), dtype="int32")[None]
            some, some_weights = step(QUERY[:, places[0]], memory, places)
            assert_close(some, ops.convert_to_numpy(whole)[:, places[0]])
            assert_close(some_weights, ops.convert_to_numpy(weights)[:, :, places[0]])


def around(array, left, right):
    """Noise of 9 before and after, and the mask of what is between."""
    array = np.pad(array, ((0, 0), (left, right), (0, 0)), constant_values=9.0)
    real = np.zeros(array.shape[:2], "bool")
    real[:, left : array.shape[1] - right] = True
    return array, real


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("kind", ALL)
def test_padding_on_either_side_changes_no_result(kind):
    layer = make(kind)
    alone = layer(QUERY, VALUE)
    for left, right in ((2, 0), (0, 3), (1, 2)):
        query, query_mask = around(QUERY, left, right)
        value, value_mask = around(VALUE, right, left)
        among = layer(query, value, query_mask=query_mask, value_mask=value_mask)
        assert_close(ops.convert_to_numpy(among)[:, left : left + 5], alone)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("kind", ALL)
def test_padding_changes_no_result_when_causal(kind):
    layer = make(kind, HIDDEN, HIDDEN)
    alone = layer(HIDDEN, HIDDEN, use_causal_mask=True)
    for left, right in ((2, 0), (0, 3)):
        hidden, real = around(HIDDEN, left, right)
        among = layer(hidden, hidden, value_mask=real, use_causal_mask=True)
        assert_close(ops.convert_to_numpy(among)[:, left : left + 7], alone)


@pytest.mark.parametrize("kind", GLOBAL)
def test_masks_are_one_mask(kind):
    layer = make(kind)
    value_mask, key_mask = rng.random((3, 7)) < 0.8, rng.random((3, 7)) < 0.8
    pairs = rng.random((3, 5, 7)) < 0.7
    seen = pairs & (value_mask & key_mask)[:, None] & reference.causal(5, 7)
    expected, weights = layer(
        QUERY, VALUE, attention_mask=seen, return_attention_scores=True
    )
    given = {"value_mask": value_mask, "key_mask": key_mask, "use_causal_mask": True}
    for mask in (pairs, pairs[:, None]):
        actual, actual_weights = layer(
            QUERY, VALUE, attention_mask=mask, return_attention_scores=True, **given
        )
        assert_close(actual, expected)
        assert_close(actual_weights, weights)
    blind = ~seen.any(axis=-1)
    assert np.all(ops.convert_to_numpy(expected)[blind] == 0)


def test_more_queries_than_keys_are_aligned_at_the_end_when_causal():
    layer = make("monotonic")
    queries = np.concatenate([QUERY, QUERY], axis=1)  # 10 for 7 keys
    context, weights = layer(
        queries, VALUE, use_causal_mask=True, return_attention_scores=True
    )
    assert np.all(ops.convert_to_numpy(context)[:, :3] == 0)
    aligned = layer(
        queries[:, 3:], VALUE, use_causal_mask=True, return_attention_scores=True
    )
    assert_close(context[:, 3:], aligned[0])
    assert_close(weights[:, :, 3:], aligned[1])


def test_a_mask_that_keras_hands_on_is_honoured():
    queries = np.array([[3, 1, 0], [2, 0, 0]])
    keys = np.array([[0, 5, 2, 4], [0, 0, 1, 3]])
    embedding = keras.layers.Embedding(6, 4, mask_zero=True)
    inputs = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    layer = LuongAttention()
    outputs = layer(
        embedding(inputs[0]), embedding(inputs[1]), return_attention_scores=True
    )
    context, weights = keras.Model(inputs, outputs)([queries, keys])

    expected = layer(
        ops.convert_to_tensor(ops.convert_to_numpy(embedding(queries))),
        ops.convert_to_tensor(ops.convert_to_numpy(embedding(keys))),
        query_mask=queries > 0,
        value_mask=keys > 0,
        return_attention_scores=True,
    )
    assert_close(context, expected[0])
    assert_close(weights, expected[1])
    hidden = (queries == 0)[:, :, None] | (keys == 0)[:, None]
    assert np.all(ops.convert_to_numpy(weights)[:, 0][hidden] == 0)


@pytest.mark.parametrize("kind", ["additive", *LOCAL])
def test_chunks_equal_the_whole(kind, monkeypatch):
    layer = make(kind, HIDDEN, HIDDEN)
    real, pairs = padding(2, 7), rng.random((2, 7, 7)) < 0.8
    options = [
        {"value_mask": real, "use_causal_mask": True},
        {"value_mask": real, "attention_mask": pairs},
        {"attention_mask": pairs[0], "query_mask": real},
    ]
    expected = [layer(HIDDEN, HIDDEN, **some) for some in options]
    per_pair = layer.numbers_per_pair()
    monkeypatch.setattr(skeleton, "CHUNKED_FROM", 3 * 7 * per_pair)  # 3, 3 and 1
    sizes = []
    score_keys = layer.score_keys

    def watched(rows, *others):
        sizes.append(rows[0].shape[1])
        return score_keys(rows, *others)

    monkeypatch.setattr(layer, "score_keys", watched)
    for some, wanted in zip(options, expected, strict=True):
        assert_close(compiled(layer, **some)(HIDDEN, HIDDEN), wanted)
    assert set(sizes) == {3}  # nothing of 7 queries was built


def test_gradients_in_chunks_equal_those_of_the_whole(monkeypatch):
    # Of all weights of the layer, and of what comes before it: none is lost in a loop.
    layer = make("predictive")
    before = keras.layers.Dense(4), keras.layers.Dense(6)
    inputs = [keras.Input(x.shape[1:]) for x in (QUERY, VALUE)]
    mask = keras.Input((7,), dtype="bool")
    hidden = [dense(x) for dense, x in zip(before, inputs, strict=True)]

    def trained():
        model = keras.Model([*inputs, mask], layer(*hidden, value_mask=mask))
        model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=JIT)
        start = model.get_weights()
        targets = np.ones((3, 5, 6), "float32")
        model.fit([QUERY, VALUE, padding(3, 7)], targets, verbose=0)
        after = model.get_weights()
        model.set_weights(start)
        assert all(np.abs(a - b).max() > 1e-6 for a, b in zip(after, start))
        return after

    whole = trained()
    monkeypatch.setattr(skeleton, "CHUNKED_FROM", 2 * 7 * layer.numbers_per_pair())
    for chunked, wanted in zip(trained(), whole, strict=True):
        assert_close(chunked, wanted)


@pytest.mark.once
def test_a_final_class_must_say_how_it_scores():
    layer = RecurrentAttention()
    for method, arguments in (
        ("project_key", (VALUE,)),
        ("prepare", (QUERY, None, None)),
        ("score_keys", ((QUERY,), VALUE, None, None)),
    ):
        message = f"RecurrentAttention must define `{method}`"
        with pytest.raises(NotImplementedError, match=message):
            getattr(layer, method)(*arguments)


@pytest.mark.parametrize("kind", ["additive", "general"])
def test_a_source_is_not_remembered_before_the_width_of_queries_is_known(kind):
    layer_class, arguments = ALL[kind]
    layer = layer_class(**arguments)
    with pytest.raises(ValueError, match="Before a source is remembered, .* not built"):
        layer.remember(VALUE)

    layer.build(QUERY.shape, VALUE.shape)

    output, _ = layer.step(QUERY[:, :1], layer.remember(VALUE))
    assert_close(output, layer(QUERY[:, :1], VALUE))


def test_a_mask_of_several_heads_is_refused():
    pairs = np.ones((3, 2, 5, 7), "bool")
    with pytest.raises(ValueError, match="`attention_mask` must be of one head"):
        make("additive")(QUERY, VALUE, attention_mask=pairs)
