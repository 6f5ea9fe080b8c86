"""LSTM: its contract, a loop, Keras' own, padding, steps, gradients, errors."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import LSTM
from tests import reference
from tests.checks import (
    assert_close,
    check_layer,
    compiled,
    gradients,
    outputs_of,
    padding,
)

rng = np.random.default_rng(seed=0)
INPUTS = rng.normal(size=(2, 7, 3)).astype("float32")  # (B, T, D)
UNITS = 5
STATE = {
    name: rng.normal(size=(2, UNITS)).astype("float32") for name in ("cell", "hidden")
}
MASKS = {
    "none": None,
    "middle": padding(2, 7),
    "left": padding(2, 7, left=True),
    "row": np.array([[True] * 7, [False] * 7]),
}


def make(reverse=False):
    """A layer with weights that are all different, and these."""
    layer = LSTM(UNITS, reverse=reverse)
    layer.build(INPUTS.shape)
    numbers = np.random.default_rng(seed=1)
    layer.set_weights([numbers.normal(size=w.shape) for w in layer.weights])
    return layer


@pytest.mark.parametrize("reverse", [False, True])
def test_layer_contract(reverse):
    check_layer(
        LSTM(UNITS, reverse=reverse),
        {"inputs": INPUTS, "padding_mask": MASKS["middle"]},
        [(2, 7, 5), (2, 5), (2, 5)],
    )


def test_a_case_done_by_hand():
    # All sums are 0 but that of the candidate, which is the input: every sigmoid is
    # 1/2, so c_1 = tanh(x) / 2 and h_1 = tanh(c_1) / 2.
    layer = LSTM(units=1)
    inputs = np.array([[[np.arctanh(0.6)], [0.0]]])
    layer(inputs)
    layer.set_weights([np.eye(4)[2:3], np.zeros((1, 4)), np.zeros(4)])

    outputs, state = layer(inputs)

    assert_close(outputs, [[[np.tanh(0.3) / 2], [np.tanh(0.15) / 2]]])
    assert_close(state["cell"], [[0.15]])
    assert_close(state["hidden"], [[np.tanh(0.15) / 2]])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_it_equals_a_loop(mask, reverse):
    layer, real = make(reverse), MASKS[mask]
    weights = layer.get_weights()
    seen = np.ones((2, 7), bool) if real is None else real
    expected = reference.lstm(
        INPUTS, *weights, seen, STATE["hidden"], STATE["cell"], reverse
    )

    outputs, state = layer(INPUTS, padding_mask=real, state=STATE)

    found = (outputs, state["hidden"], state["cell"])
    for actual, wanted in zip(found, expected, strict=True):
        assert_close(actual, wanted)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_it_equals_that_of_keras_also_in_gradients(mask, reverse):
    ours, real = make(reverse), MASKS[mask]
    theirs = keras.layers.LSTM(
        UNITS, return_sequences=True, return_state=True, go_backwards=reverse
    )
    theirs.build(INPUTS.shape)
    # Where nothing came yet, ours gives the initial state at padding, and Keras 0.
    begun = ran_over(np.ones((2, 7), bool) if real is None else real, reverse)
    begun = begun[..., None].astype("float32")
    some = rng.normal(size=(2, 7, UNITS)).astype("float32") * begun

    def ours_of(inputs, hidden, cell, *trained):
        state = {"hidden": hidden, "cell": cell}
        (outputs, state), _ = ours.stateless_call([*trained], [], inputs, real, state)
        return ops.multiply(outputs, begun), state["hidden"], state["cell"]

    def theirs_of(inputs, hidden, cell, *trained):
        still = theirs.non_trainable_variables
        arrays = [ops.convert_to_tensor(array) for array in (inputs, hidden, cell)]
        (outputs, *state), _ = theirs.stateless_call(
            [*trained],
            still,
            arrays[0],
            initial_state=arrays[1:],
            mask=None if real is None else ops.convert_to_tensor(real),
        )
        outputs = ops.flip(outputs, axis=1) if reverse else outputs
        return ops.multiply(outputs, begun), *state

    def total(outputs, hidden, cell):
        weighted = ops.sum(ops.multiply(ops.multiply(outputs, some), some))
        return weighted + ops.sum(hidden**2) + 3 * ops.sum(cell)

    given = (INPUTS, STATE["hidden"], STATE["cell"], *ours.get_weights())
    both = compiled(ours_of)(*given), compiled(theirs_of)(*given)
    for actual, wanted in zip(*both, strict=True):
        assert_close(actual, wanted)
    found = gradients(lambda *arrays: total(*ours_of(*arrays)), given)
    expected = gradients(lambda *arrays: total(*theirs_of(*arrays)), given)
    assert_close(found[0], expected[0])
    for actual, wanted in zip(found[1], expected[1], strict=True):
        assert np.abs(wanted).max() > 0.01
        assert_close(actual, wanted)


def ran_over(real, reverse):
    """From the first real step on, in the order of reading, bool `(B, T)`."""
    order = slice(None, None, -1 if reverse else 1)
    return np.maximum.accumulate(real[:, order], axis=1)[:, order]


@pytest.mark.parametrize("mask", MASKS)
def test_step_by_step_equals_all_at_once(mask):
    layer, real = make(), MASKS[mask]
    outputs, state = layer(INPUTS, padding_mask=real, state=STATE)
    step = compiled(layer.step)
    for piece in (1, 3):
        pieces, at = [], STATE
        for start in range(0, 7, piece):
            some = slice(start, start + piece)
            mask_of = None if real is None else real[:, some]
            found, at = step(ops.convert_to_tensor(INPUTS[:, some]), at, mask_of)
            pieces.append(ops.convert_to_numpy(found))

        assert_close(np.concatenate(pieces, axis=1), outputs)
        assert_close(at["hidden"], state["hidden"])
        assert_close(at["cell"], state["cell"])


@settings(max_examples=5, deadline=None)
@given(st.lists(st.booleans(), min_size=7, max_size=7), st.booleans())
def test_padding_is_as_if_it_were_not_there(real, reverse):
    real = np.array(real)
    real[3] = True
    layer = make(reverse)
    louder = np.where(real[:, None], INPUTS, 50.0)[:1]

    outputs, state = layer(louder, padding_mask=real[None])
    alone = reference.lstm(
        INPUTS[:1, real],
        *layer.get_weights(),
        np.ones((1, real.sum()), bool),
        np.zeros((1, UNITS)),
        np.zeros((1, UNITS)),
        reverse,
    )

    assert_close(ops.convert_to_numpy(outputs)[:, real], alone[0])
    assert_close(state["hidden"], alone[1])
    assert_close(state["cell"], alone[2])


def test_the_mask_of_keras_is_honoured():
    layer = make()
    ids = np.array([[1, 2, 0, 0]])
    embedding = keras.layers.Embedding(3, 3, mask_zero=True)
    hidden = embedding(ids)

    _, state = layer(hidden)

    assert_close(state["cell"], layer(hidden, padding_mask=ids > 0)[1]["cell"])
    assert np.abs(outputs_of(state)[0] - outputs_of(layer(hidden + 0)[1])[0]).max() > 0


def test_the_forget_gate_starts_open():
    layer, shut = LSTM(2), LSTM(2, unit_forget_bias=False)
    layer.build((None, None, 3))
    shut.build((None, None, 3))

    assert_close(layer.bias, [0, 0, 1, 1, 0, 0, 0, 0])
    assert_close(shut.bias, np.zeros(8))


def test_units_below_one_are_refused():
    with pytest.raises(ValueError, match="`units` must be at least 1"):
        LSTM(units=0)
