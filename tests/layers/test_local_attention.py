"""LocalAttention: its contract, masked full attention, its window, its ring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm import backend
from keras_lm.layers import LocalAttention, MultiHeadAttention
from keras_lm.layers.clock import advance_clock, start_clock
from tests import reference
from tests.attention_cases import attention_cases, check_case
from tests.checks import (
    assert_close,
    check_attention,
    compiled,
    examples,
    gradients,
    padding,
    variants,
)

rng = np.random.default_rng(seed=0)


def visible(length, window, num_global, causal):
    """The pairs of the docstring, by a loop."""
    seen = np.zeros((length, length), bool)
    for t in range(length):
        for s in range(length):
            near = 0 <= t - s < window if causal else abs(t - s) < window
            far = s < num_global and (s <= t or not causal)
            seen[t, s] = near or far or (t < num_global and not causal)
    return seen


def visible_among(real, window, num_global, causal):
    """The same of a row with padding: global are the first tokens that are real."""
    tokens = np.flatnonzero(real)[:num_global]
    seen = visible(len(real), window, 0, causal)
    seen[:, tokens] = True
    if not causal:
        seen[tokens] = True
    return seen


def pair_of_layers(window, num_global, **arguments):
    """Local and full attention with the same weights."""
    local = LocalAttention(4, 2, window, num_global, **arguments)
    full = MultiHeadAttention(4, 2, **arguments)
    local.build((None, None, 6)), full.build((None, None, 6))
    full.set_weights(local.get_weights())
    return local, full


CONTRACTS = {
    "plain": {"num_heads": 3, "key_dim": 4, "window": 3},
    "global, grouped, rotary": {"num_heads": 4, "key_dim": 2, "window": 2}
    | {"num_global_tokens": 2, "num_key_value_heads": 2}
    | {"rotary_wavelength": 100.0, "dropout": 0.3},
}


@pytest.mark.parametrize("arguments", variants(CONTRACTS, "global, grouped, rotary"))
def test_attention_contract(arguments):
    check_attention(LocalAttention, **arguments)


def test_a_case_done_by_hand():
    # Window 2, all projections the identity: causal, step 0 sees itself alone, step 1
    # has scores of 0 for the two it sees, and step 2 has 0 for step 1 and ln 3 for
    # itself, so 1/4 and 3/4, and nothing of the 100. To both sides, step 1 sees all
    # three alike, and for step 0 its own score of 10,000 outweighs the other's 0.
    root = np.sqrt(np.log(3))
    layer = LocalAttention(1, 1, window=2, use_bias=False)
    layer.build((None, None, 1))
    layer.set_weights([np.ones((1, 1))] * 4)
    hidden = np.array([[[100.0], [0.0], [root]]], "float32")
    causal = {"use_causal_mask": True}

    output, weights = compiled(layer, return_attention_scores=True, **causal)(hidden)

    assert_close(weights, [[[[1, 0, 0], [0.5, 0.5, 0], [0, 0.25, 0.75]]]])
    assert_close(output, [[[100.0], [50.0], [0.75 * root]]])
    assert_close(compiled(layer, **causal)(hidden), output)
    both_sides = [[[100.0], [(100 + root) / 3], [0.75 * root]]]
    assert_close(compiled(layer)(hidden), both_sides)


@pytest.mark.slow_elsewhere
@examples(50)
@given(case=attention_cases(), window=st.integers(1, 13), num_global=st.integers(0, 4))
def test_any_sizes_and_masks_equal_a_loop(case, window, num_global):
    layer = LocalAttention(**case.sizes, window=window, num_global_tokens=num_global)
    near = [
        visible_among(real, window, num_global, case.is_causal) for real in case.real
    ]
    seen = case.visible & np.stack(near)[:, None]

    check_case(layer, case, *reference.attention(*case.heads, seen))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    ("length", "window", "num_global"),
    [(1, 3, 0), (2, 5, 1), (7, 1, 0), (11, 3, 2), (13, 5, 0), (15, 5, 7)],
)
def test_it_equals_masked_full_attention(length, window, num_global, causal):
    local, full = pair_of_layers(window, num_global, num_key_value_heads=2)
    hidden = rng.normal(size=(2, length, 6)).astype("float32")
    mask = visible(length, window, num_global, causal)

    expected, weights = compiled(full, return_attention_scores=True)(
        hidden, hidden, attention_mask=mask
    )

    call = compiled(local, use_causal_mask=causal)
    assert_close(call(hidden, hidden), expected)
    call = compiled(local, use_causal_mask=causal, return_attention_scores=True)
    output, local_weights = call(hidden, hidden)
    assert_close(output, expected)
    assert_close(local_weights, weights)


@pytest.mark.parametrize("in_turn", [True, False], ids=["in turn", "at once"])
@pytest.mark.parametrize("num_global", [0, 3])
@pytest.mark.parametrize("causal", [True, False])
def test_many_blocks_have_the_output_and_gradient_of_masked_full_attention(
    causal, num_global, in_turn, monkeypatch
):
    # Ten blocks, the last not full; padding in the middle and at the end, behind the
    # global tokens, so that the pattern does not move.
    monkeypatch.setattr(backend, "gains_in_turn", lambda: in_turn)
    local, full = pair_of_layers(2, num_global)
    hidden = rng.normal(size=(2, 19, 6)).astype("float32")
    real = np.concatenate([np.ones((2, 3), bool), padding(2, 16)], axis=1)
    mask = visible(19, 2, num_global, causal) & real[:, None]

    def total(hidden):
        output = local(hidden, hidden, value_mask=real, use_causal_mask=causal)
        return ops.sum(ops.sin(output))

    def total_of_full(hidden):
        return ops.sum(ops.sin(full(hidden, hidden, attention_mask=mask)))

    value, (gradient,) = gradients(total, (hidden,))
    expected, (expected_gradient,) = gradients(total_of_full, (hidden,))
    assert_close(value, expected)
    assert np.abs(expected_gradient).max() > 0
    assert_close(gradient, expected_gradient)
    output = compiled(local, use_causal_mask=causal)(hidden, hidden, value_mask=real)
    assert_close(output, compiled(full)(hidden, hidden, attention_mask=mask))


@pytest.mark.parametrize("length", [19, 20])
def test_dropout_takes_all_blocks_at_once_and_keeps_the_mean(length):
    # Random numbers drawn in a loop would be the same in each of its turns.
    local, full = pair_of_layers(2, 0, dropout=0.5, seed=3)
    hidden = ops.convert_to_tensor(rng.normal(size=(200, length, 6)).astype("float32"))
    ones = ops.ones_like(hidden[:1]) * hidden[:1, :1]
    same = ops.broadcast_to(ones, hidden.shape)  # all values alike: context = value
    still = ops.convert_to_numpy(local(same, use_causal_mask=True))

    dropped = local(same, use_causal_mask=True, training=True)

    moved = ops.convert_to_numpy(dropped) - still
    assert np.abs(moved).max() > 1e-3
    per_step = np.abs(moved).max(axis=2).T  # (T, B): differs from step to step
    assert len(np.unique(per_step.round(5), axis=0)) == length


@pytest.mark.parametrize("causal", [True, False])
def test_left_padding_moves_the_global_tokens_with_the_text(causal):
    local, _ = pair_of_layers(3, 2)
    hidden = rng.normal(size=(1, 9, 6)).astype("float32")
    padded = np.concatenate([np.full((1, 4, 6), 9.0, "float32"), hidden], axis=1)
    real = np.arange(13)[None] >= 4

    call = compiled(local, use_causal_mask=causal)
    alone = call(hidden, hidden)
    among = call(padded, padded, value_mask=real)

    assert_close(among[:, 4:], alone)


def test_a_mask_of_pairs_is_honoured():
    local, full = pair_of_layers(3, 1)
    hidden = rng.normal(size=(2, 8, 6)).astype("float32")
    pairs = rng.random((2, 8, 8)) < 0.7
    both = pairs & visible(8, 3, 1, causal=False)
    assert_close(
        compiled(local)(hidden, hidden, attention_mask=pairs),
        compiled(full)(hidden, hidden, attention_mask=both),
    )


def test_two_layers_reach_twice_as_far():
    local, _ = pair_of_layers(4, 0)
    hidden = rng.normal(size=(1, 13, 6)).astype("float32")
    louder = hidden.copy()
    louder[0, 0] += 100.0

    call = compiled(local, use_causal_mask=True)

    def twice(x):
        x = call(x, x)
        return ops.convert_to_numpy(call(x, x))

    moved = np.abs(twice(louder) - twice(hidden)).max(axis=-1)[0] > 1e-6
    assert moved.tolist() == [True] * 7 + [False] * 6  # 2 (w - 1) = 6 steps on


def test_the_state_does_not_grow_with_the_text():
    local, _ = pair_of_layers(5, 2)
    short, long = (local.initial_state(3, length) for length in (10, 10_000))
    assert sorted(short) == sorted(long)
    for name in short:
        assert tuple(short[name].shape) == tuple(long[name].shape)
    assert short["key"].shape[2] == 5


@pytest.mark.once
def test_no_array_of_the_state_is_empty():
    for num_global_tokens in (0, 2):
        local, _ = pair_of_layers(5, num_global_tokens)
        state = local.initial_state(3, 10)
        assert all(0 not in array.shape for array in state.values())


@pytest.mark.parametrize(
    ("piece", "num_global_tokens"), [(1, 2), (4, 0), (4, 2), (17, 2)]
)
def test_a_text_many_times_the_window_is_decoded_as_at_once(piece, num_global_tokens):
    local, _ = pair_of_layers(5, num_global_tokens, rotary_wavelength=100.0)
    hidden = rng.normal(size=(2, 34, 6)).astype("float32")
    clock, state = start_clock(2, 34), local.initial_state(2, 34)
    outputs, step = [], compiled(local.step)
    for start in range(0, 34, piece):
        some = ops.convert_to_tensor(hidden[:, start : start + piece])
        clock, now = advance_clock(clock, some.shape[1])
        output, state = step(some, state, now)
        outputs.append(ops.convert_to_numpy(output))
    whole = compiled(local, use_causal_mask=True)(hidden, hidden)
    assert_close(np.concatenate(outputs, axis=1), whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "`window` must be at least 1"),
        ({"num_global_tokens": -1}, "`num_global_tokens` must be at least 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LocalAttention(2, 3, **arguments)


def test_cross_attention_is_refused():
    query, value = np.zeros((1, 5, 6), "float32"), np.zeros((1, 7, 6), "float32")
    with pytest.raises(ValueError, match="queries and keys must have one length"):
        LocalAttention(2, 3, window=2)(query, value)
