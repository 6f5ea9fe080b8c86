"""MultiHeadAttention: its contract, Keras' layer, a loop, its kernel, its masks."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm import backend
from keras_lm.layers import MultiHeadAttention
from tests import make_cross_backend, reference
from tests.attention_cases import attention_cases
from tests.checks import (
    assert_close,
    check_attention,
    compiled,
    examples,
    outputs_of,
    variants,
)

rng = np.random.default_rng(seed=0)
QUERY = rng.normal(size=(2, 5, 7)).astype("float32")  # (B, T, E)
VALUE = rng.normal(size=(2, 11, 6)).astype("float32")  # (B, S, E of the values)
KEY = rng.normal(size=(2, 11, 13)).astype("float32")  # (B, S, E of the keys)
QUERY_MASK = rng.random((2, 5)) < 0.7
KEY_MASK = rng.random((2, 11)) < 0.7
VALUE_MASK = rng.random((2, 11)) < 0.8
PAIRS = rng.random((2, 5, 11)) < 0.7
HEADS = rng.random((2, 3, 5, 11)) < 0.7
# No row of these is blind but where a test wants it: that is where Keras differs.
KEY_MASK[:, 0] = VALUE_MASK[:, 0] = PAIRS[:, :, 0] = HEADS[:, :, :, 0] = True


CONTRACTS = {
    "plain": {"num_heads": 3, "key_dim": 4, "value_dim": 5},
    "grouped, rotary": {"num_heads": 6, "num_key_value_heads": 2, "key_dim": 4}
    | {"dropout": 0.3, "rotary_wavelength": 100.0},
    "capped, normalised": {"num_heads": 3, "key_dim": 4, "soft_cap": 1.5}
    | {"qk_norm": True},
}


@pytest.mark.parametrize("arguments", variants(CONTRACTS, "grouped, rotary"))
def test_attention_contract(arguments):
    check_attention(MultiHeadAttention, **arguments)


def test_a_case_done_by_hand():
    # One head, identity projections, D = 1: scores 0 and ln 3, weights 1/4 and 3/4,
    # context 3/4 * ln 3.
    layer = MultiHeadAttention(1, 1, use_bias=False)
    query, value = np.array([[[1.0]]]), np.array([[[0.0], [np.log(3)]]])
    layer(query, value)
    layer.set_weights([np.ones((1, 1))] * 4)

    output, weights = layer(query, value, return_attention_scores=True)

    assert_close(weights, [[[[0.25, 0.75]]]])
    assert_close(output, [[[0.75 * np.log(3)]]])


def test_capped_scores_by_hand():
    # Scores 0 and 2 atanh(ln(3) / 2), cap 2: the second becomes 2 ln(3) / 2 = ln 3.
    layer = MultiHeadAttention(1, 1, soft_cap=2.0, use_bias=False)
    score = 2 * np.arctanh(np.log(3) / 2)
    query, value = np.array([[[1.0]]]), np.array([[[0.0], [score]]])
    layer(query, value)
    layer.set_weights([np.ones((1, 1))] * 4)

    output, weights = layer(query, value, return_attention_scores=True)

    assert_close(weights, [[[[0.25, 0.75]]]])
    assert_close(output, [[[0.75 * score]]])
    assert_close(layer(query, value), output)


def test_no_capped_score_wins_by_more_than_twice_the_cap():
    layer = MultiHeadAttention(3, 4, soft_cap=0.5)

    _, weights = layer(100 * QUERY, VALUE, return_attention_scores=True)

    weights = ops.convert_to_numpy(weights)
    ratio = weights.max(axis=-1) / weights.min(axis=-1)
    assert ratio.max() <= np.exp(2 * 0.5) * (1 + 1e-5)
    assert ratio.max() > 2  # 100 times as large, most scores are at the cap


def test_normalised_queries_and_keys_equal_a_loop():
    layer = MultiHeadAttention(6, 4, num_key_value_heads=3, qk_norm=True)
    layer(QUERY, VALUE)
    some = np.random.default_rng(seed=1)
    layer.set_weights([some.normal(size=w.shape) for w in layer.weights])
    weights = reference.named_weights(layer)
    heads = {}
    for name, array, count in (("query", QUERY, 6), ("key", VALUE, 3)):
        split = reference.split_heads(reference.dense(weights, name, array), count)
        for place in np.ndindex(split.shape[:-1]):
            split[place] /= np.sqrt((split[place] ** 2).mean() + 1e-6)
        heads[name] = split * weights[f"{name}_norm/scale"]
    values = reference.split_heads(reference.dense(weights, "value", VALUE), 3)

    context, expected = reference.attention(heads["query"], heads["key"], values, True)
    output, shares = layer(QUERY, VALUE, return_attention_scores=True)

    assert_close(shares, expected)
    merged = np.concatenate([context[:, h] for h in range(6)], axis=-1)
    assert_close(output, reference.dense(weights, "output", merged))


@pytest.mark.parametrize("soft_cap", [0, -2.0])
def test_a_soft_cap_that_is_not_above_zero_is_refused(soft_cap):
    with pytest.raises(ValueError, match="`soft_cap` must be above 0"):
        MultiHeadAttention(3, 4, soft_cap=soft_cap)


def pair_of_layers(**arguments):
    """Keras' layer and ours with the same weights."""
    theirs = keras.layers.MultiHeadAttention(3, 4, value_dim=5, **arguments)
    ours = MultiHeadAttention(3, 4, value_dim=5)
    # Without the scores, Keras' layer fails on JAX where values have a width of theirs.
    theirs(QUERY, VALUE, KEY, return_attention_scores=True), ours(QUERY, VALUE, KEY)
    weights = [rng.normal(size=w.shape).astype("float32") for w in theirs.weights]
    theirs.set_weights(weights)
    ours.set_weights(
        [w.reshape(mine.shape) for w, mine in zip(weights, ours.weights, strict=True)]
    )
    return theirs, ours


MASKS = {
    "none": {},
    "query": {"query_mask": QUERY_MASK},
    "value": {"value_mask": VALUE_MASK},
    "key": {"key_mask": KEY_MASK},
    "pairs": {"attention_mask": PAIRS},
    "heads": {"attention_mask": HEADS},
    "all": {"value_mask": VALUE_MASK, "key_mask": KEY_MASK, "attention_mask": PAIRS},
}


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_drop_in_for_keras(masks):
    theirs, ours = pair_of_layers()

    scores = {"return_attention_scores": True}
    expected, their_weights = outputs_of(theirs(QUERY, VALUE, KEY, **scores, **masks))
    output, weights = outputs_of(ours(QUERY, VALUE, KEY, **scores, **masks))

    # A query that is hidden sees nothing: Keras gives it the mean of the values.
    rows = masks.get("query_mask", np.ones((2, 5), "bool"))
    assert_close(output * rows[..., None], expected * rows[..., None])
    assert_close(
        weights * rows[:, None, :, None], their_weights * rows[:, None, :, None]
    )
    assert_close(ours(QUERY, VALUE, KEY, **masks), output)


def test_drop_in_for_keras_causal_self_attention():
    theirs = keras.layers.MultiHeadAttention(3, 4)
    ours = MultiHeadAttention(3, 4)
    theirs(QUERY, QUERY), ours(QUERY, QUERY)
    ours.set_weights(
        [
            w.reshape(mine.shape)
            for w, mine in zip(theirs.get_weights(), ours.weights, strict=True)
        ]
    )

    expected = theirs(QUERY, QUERY, use_causal_mask=True)
    assert_close(ours(QUERY, QUERY, use_causal_mask=True), expected)
    assert_close(ours(QUERY, use_causal_mask=True), expected)  # value = query


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_masks_may_be_numbers_and_of_any_rank(dtype):
    layer = MultiHeadAttention(3, 4)
    masks = {"key_mask": KEY_MASK, "value_mask": VALUE_MASK, "query_mask": QUERY_MASK}
    expected = layer(QUERY, VALUE, KEY, attention_mask=PAIRS[:1], **masks)
    numbers = {name: mask.astype(dtype) for name, mask in masks.items()}

    for pairs in (PAIRS[0], PAIRS[:1], PAIRS[:1, None]):
        output = layer(QUERY, VALUE, KEY, attention_mask=pairs.astype(dtype), **numbers)
        assert_close(output, expected, tolerance=0)


def test_causal_masks_are_aligned_at_the_bottom_right():
    # Five queries are the last five of eleven steps.
    layer = MultiHeadAttention(3, 4)

    _, weights = layer(QUERY, VALUE, use_causal_mask=True, return_attention_scores=True)

    seen = ops.convert_to_numpy(weights) > 0
    assert_close(seen, np.broadcast_to(reference.causal(5, 11), (2, 3, 5, 11)))


def test_equal_to_a_loop():
    layer = MultiHeadAttention(6, 4, num_key_value_heads=3)
    layer(QUERY, VALUE)
    some = np.random.default_rng(seed=1)
    layer.set_weights([some.normal(size=w.shape) for w in layer.weights])
    seen = PAIRS[:, None] & KEY_MASK[:, None, None]

    expected, expected_weights = reference.multi_head_attention(
        reference.named_weights(layer), QUERY, VALUE, seen, 6, 3
    )
    output, weights = layer(
        QUERY,
        VALUE,
        key_mask=KEY_MASK,
        attention_mask=PAIRS,
        return_attention_scores=True,
    )

    assert_close(weights, expected_weights)
    assert_close(output, expected)


@pytest.mark.slow_elsewhere
@examples(40)
@given(case=attention_cases(keys=st.integers(1, 11)))
def test_any_sizes_and_masks_equal_a_loop(case):
    # The queries of all heads side by side are a sequence, as are the values.
    query, value = (
        np.concatenate(list(x.swapaxes(0, 1)), axis=-1)
        for x in (case.query, case.value)
    )
    layer = MultiHeadAttention(**case.sizes, bias_initializer="random_normal")
    layer.build(query.shape, value.shape)
    masks = {"key_mask": case.key_mask, "attention_mask": case.pairs}
    masks = {name: mask for name, mask in masks.items() if mask is not None}
    options = {"use_causal_mask": case.is_causal, "return_attention_scores": True}

    output, weights = compiled(layer, **options)(query, value, **masks)

    heads = layer.num_heads, layer.num_key_value_heads
    expected, expected_weights = reference.multi_head_attention(
        reference.named_weights(layer), query, value, case.visible, *heads
    )
    assert_close(weights, expected_weights)
    assert_close(output, expected)


def test_rotary_positions_equal_a_loop_with_padding():
    layer = MultiHeadAttention(3, 4, rotary_wavelength=10_000.0)
    real = np.array([[False, True, True, False, True], [True] * 5])
    layer(QUERY)

    expected, _ = reference.multi_head_attention(
        reference.named_weights(layer),
        QUERY,
        QUERY,
        real[:, None, None],
        3,
        3,
        position_ids=reference.places(real),
    )

    assert_close(layer(QUERY, value_mask=real), expected)


def test_a_blind_row_is_zero_before_the_output_projection():
    layer = MultiHeadAttention(3, 4, bias_initializer="ones")
    nothing = np.zeros((2, 11), "bool")

    output, weights = layer(
        QUERY, VALUE, key_mask=nothing, return_attention_scores=True
    )

    assert_close(weights, np.zeros((2, 3, 5, 11)), tolerance=0)
    assert_close(output, np.ones((2, 5, 7)))  # the bias of the output projection
    assert_close(layer(QUERY, VALUE, key_mask=nothing), output)


def spied(monkeypatch):
    """What `backend.fused_attention` gave at each of its calls."""
    given, real = [], backend.fused_attention

    def spy(*args):
        given.append(real(*args))
        return given[-1]

    monkeypatch.setattr(backend, "fused_attention", spy)
    return given


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_the_fused_kernel_serves_inference_with_dropout(masks, monkeypatch):
    layer = MultiHeadAttention(3, 4, dropout=0.4)
    given = spied(monkeypatch)

    layer(QUERY, VALUE, KEY, **masks)

    assert len(given) >= 1
    assert (given[-1] is not None) == (keras.backend.backend() == "torch")


def test_the_fused_kernel_serves_training_without_dropout(monkeypatch):
    given = spied(monkeypatch)

    MultiHeadAttention(3, 4)(QUERY, VALUE, training=True)

    assert given


def test_dropout_and_scores_need_the_weights(monkeypatch):
    layer = MultiHeadAttention(3, 4, dropout=0.4, seed=5)
    layer(QUERY, VALUE)
    given = spied(monkeypatch)

    layer(QUERY, VALUE, return_attention_scores=True)
    layer(QUERY, VALUE, training=True)

    assert not given


def test_dropout_in_training_only():
    layer = MultiHeadAttention(3, 4, dropout=0.4, seed=5)
    still = layer(QUERY, VALUE)

    assert_close(layer(QUERY, VALUE, training=False), still, tolerance=0)
    moved = ops.convert_to_numpy(layer(QUERY, VALUE, training=True) - still)
    assert np.abs(moved).max() > 1e-3


@pytest.mark.parametrize("value_is_given", [True, False])
def test_an_implicit_mask_is_honoured(value_is_given):
    token_ids = np.array([[3, 0, 5, 0], [0, 2, 0, 0]], "int32")
    embedding = keras.layers.Embedding(7, 6, mask_zero=True)
    layer = MultiHeadAttention(3, 4)
    symbol = keras.Input((None,), dtype="int32")
    hidden = embedding(symbol)
    inputs = (hidden, hidden) if value_is_given else (hidden,)
    model = keras.Model(symbol, layer(*inputs, return_attention_scores=True))

    output, weights = model(token_ids)

    real = token_ids != 0
    bare = ops.convert_to_numpy(embedding(token_ids))
    expected = layer(bare, bare, query_mask=real, value_mask=real)
    assert_close(output, expected)
    assert np.all(ops.convert_to_numpy(weights)[:, :, :, ~real[0]][0] == 0)


def test_shuffling_keys_and_values_together_changes_nothing():
    layer = MultiHeadAttention(3, 4)
    order = np.random.default_rng(seed=4).permutation(11)

    shuffled = layer(QUERY, VALUE[:, order], KEY[:, order])

    assert_close(shuffled, layer(QUERY, VALUE, KEY))


def test_one_step_of_one_row():
    layer = MultiHeadAttention(3, 4)

    output, weights = layer(
        QUERY[:1, :1], use_causal_mask=True, return_attention_scores=True
    )

    assert tuple(output.shape) == (1, 1, 7)
    assert_close(weights, np.ones((1, 3, 1, 1)))


def test_the_same_numbers_on_every_backend():
    weights, inputs, expected = make_cross_backend.load("attention")
    layer = MultiHeadAttention(**make_cross_backend.ATTENTION)
    options = {"use_causal_mask": True, "return_attention_scores": True}
    layer(**inputs)
    make_cross_backend.give(layer, weights)

    output, shares = layer(**inputs, **options)

    assert_close(output, expected["output"])
    assert_close(shares, expected["weights"])
