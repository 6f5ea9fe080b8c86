"""LSTMEncoder: its contract, a loop, padding, one direction or both, its errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers import LSTMEncoder
from tests import reference
from tests.checks import assert_close, check_layer, outputs_of, padding

INPUTS = np.random.default_rng(seed=0).normal(size=(2, 7, 5)).astype("float32")
REAL = padding(2, 7)


def test_layer_contract():
    check_layer(
        LSTMEncoder(3, num_layers=2),
        {"inputs": INPUTS, "padding_mask": REAL},
        [(2, 7, 6)] + [(2, 6)] * 4,
    )


@pytest.mark.parametrize("bidirectional", [True, False])
def test_it_equals_a_loop(bidirectional):
    encoder = LSTMEncoder(3, num_layers=2, bidirectional=bidirectional)
    encoder(INPUTS)
    zeros, states, expected = np.zeros((2, 3)), INPUTS, []
    for layer in range(2):
        lstms = [encoder.forwards[layer], *encoder.backwards[layer : layer + 1]]
        read = [
            reference.lstm(states, *lstm.get_weights(), REAL, zeros, zeros, i == 1)
            for i, lstm in enumerate(lstms)
        ]
        states, hidden, cell = (
            np.concatenate(arrays, axis=-1) for arrays in zip(*read, strict=True)
        )
        expected.append((hidden, cell))

    outputs, last = encoder(INPUTS, padding_mask=REAL)

    assert_close(outputs, states)
    for state, (hidden, cell) in zip(last, expected, strict=True):
        assert_close(state["hidden"], hidden)
        assert_close(state["cell"], cell)


def test_padding_on_the_right_changes_nothing():
    encoder = LSTMEncoder(3, num_layers=2)
    expected = outputs_of(encoder(INPUTS[:, :4]))
    real = np.arange(7) < np.full((2, 1), 4)

    found = outputs_of(encoder(INPUTS, padding_mask=real))

    assert_close(found[0][:, :4], expected[0])
    for actual, wanted in zip(found[1:], expected[1:], strict=True):
        assert_close(actual, wanted)


def test_dropout_before_each_layer():
    encoder = LSTMEncoder(3, num_layers=2, dropout=0.5, seed=3)
    still = outputs_of(encoder(INPUTS))

    moved = outputs_of(encoder(INPUTS, training=True))

    assert np.abs(moved[0] - still[0]).max() > 1e-3
    assert_close(encoder(INPUTS, training=False)[0], still[0], tolerance=0)
    assert [layer.seed for layer in encoder.dropouts] == [3, 4]
    zeros = ops.convert_to_numpy(encoder(0 * INPUTS, training=True)[1][0]["hidden"])
    still = ops.convert_to_numpy(encoder(0 * INPUTS)[1][0]["hidden"])
    assert_close(zeros, still)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_dim": 0}, "`hidden_dim` must be at least 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        LSTMEncoder(**{"hidden_dim": 3, **changes})
