"""LSTMDecoder: its contract, each kind as a loop, its state, dropout, its errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import LSTMDecoder
from tests import reference
from tests.checks import (
    assert_close,
    check_layer,
    compiled,
    outputs_of,
    padding,
    variants,
)

rng = np.random.default_rng(seed=0)
INPUTS = rng.normal(size=(2, 7, 3)).astype("float32")  # (B, T, E)
SOURCE = rng.normal(size=(2, 5, 4)).astype("float32")  # (B, S, W)
SOURCE_REAL, REAL = padding(2, 5), padding(2, 7)
LSTMS = [
    {name: rng.normal(size=(2, 6)).astype("float32") for name in ("hidden", "cell")}
    for _ in range(2)
]
KINDS = {
    "bahdanau": {"attention": "bahdanau"},
    "luong": {"attention": "luong", "input_feeding": False},
    "fed": {"attention": "luong"},
    "none": {"attention": None},
}


def make_decoder(**arguments):
    settings = {"num_layers": 2, "output_dim": 8, **arguments}
    decoder = LSTMDecoder(6, **settings)
    decoder.build((None, None, 3), (None, None, 4))
    return decoder


class Decoder(keras.layers.Layer):
    """The layer with the source and the first state as arrays, for `check_layer`."""

    def __init__(self, decoder, **kwargs):
        super().__init__(**kwargs)
        self.decoder = decoder

    def build(self, inputs_shape):
        if not self.decoder.built:
            self.decoder.build((None, None, 3), (None, None, 4))

    def call(self, inputs, source=None, source_mask=None, padding_mask=None):
        memory = self.decoder.remember(source, source_mask)
        zeros = ops.zeros_like(source[:, 0, :1]) + ops.zeros((6,), source.dtype)
        state = self.decoder.initial_state([{"hidden": zeros, "cell": zeros}] * 2)
        return self.decoder(inputs, memory, state, padding_mask=padding_mask)[0]

    def get_config(self):
        decoder = keras.saving.serialize_keras_object(self.decoder)
        return {**super().get_config(), "decoder": decoder}

    @classmethod
    def from_config(cls, config):
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        return cls(**{**config, "decoder": decoder})


@pytest.mark.parametrize(
    "kind",  # the others have no loop
    variants({"bahdanau": "bahdanau", "fed": "fed"}, "bahdanau", pytest.mark.slow),
)
def test_layer_contract(kind):
    with keras.saving.custom_object_scope({"Decoder": Decoder}):
        check_layer(
            Decoder(make_decoder(**KINDS[kind])),
            {"inputs": INPUTS, "padding_mask": REAL}
            | {"source": SOURCE, "source_mask": SOURCE_REAL},
            (2, 7, 8),
        )


class Loop:
    """The same with NumPy, a row and a step at a time."""

    def __init__(self, decoder, kind):
        self.weights, self.kind = reference.named_weights(decoder), kind

    def look(self, row, query):
        """`(context, weights)` of a query."""
        keys = reference.dense(self.weights, "attention/key", SOURCE[row])
        if self.kind == "bahdanau":
            query = reference.dense(self.weights, "attention/query", query)
            scores = np.tanh(query + keys) @ self.weights["attention/score_vector"]
        else:
            scores = keys @ query
        seen = SOURCE_REAL[row][None, None]
        found = reference.mean_under_scores(scores[None, None], SOURCE[row][None], seen)
        return [array[0, 0] for array in found]

    def read(self, x, lstms):
        """The layers one on the other: the last hidden state; `lstms` are changed."""
        for layer, lstm in enumerate(lstms):
            parts = ("kernel", "recurrent_kernel", "bias")
            arrays = [self.weights[f"lstm_{layer}/{name}"] for name in parts]
            real = np.ones((1, 1), "bool")
            before = [lstm[name][None] for name in ("hidden", "cell")]
            _, hidden, cell = reference.lstm(x[None, None], *arrays, real, *before)
            lstms[layer] = {"hidden": hidden[0], "cell": cell[0]}
            x = hidden[0]
        return x

    def advance(self, row, x, lstms, fed):
        """`(output, weights)` of a step."""
        if self.kind == "bahdanau":
            context, shares = self.look(row, lstms[0]["hidden"])
            hidden = self.read(np.concatenate([x, context]), lstms)
            readout = "readout", np.concatenate([hidden, context, x])
        elif self.kind == "none":
            shares, readout = 0, ("readout", self.read(x, lstms))
        else:
            x = np.concatenate([x, fed]) if self.kind == "fed" else x
            hidden = self.read(x, lstms)
            context, shares = self.look(row, hidden)
            readout = "attention/output", np.concatenate([context, hidden])
        return np.tanh(reference.dense(self.weights, *readout)), shares

    def run(self):
        """`(outputs, weights, states)`, of real steps; the rest is 0."""
        outputs, looks, states = np.zeros((2, 7, 8)), np.zeros((2, 7, 5)), []
        for row in range(2):
            lstms = [{name: x[row] for name, x in state.items()} for state in LSTMS]
            fed = np.zeros(8)
            for t in np.flatnonzero(REAL[row]):
                fed, shares = self.advance(row, INPUTS[row, t], lstms, fed)
                outputs[row, t], looks[row, t] = fed, shares
            states.append(lstms)
        return outputs, looks, states


@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_a_loop(kind):
    decoder = make_decoder(**KINDS[kind])
    expected, looks, states = Loop(decoder, kind).run()

    def run(inputs, source, lstms):
        memory = decoder.remember(source, SOURCE_REAL)
        state = decoder.initial_state(lstms)
        return decoder(inputs, memory, state, padding_mask=REAL)

    arrays = keras.tree.map_structure(ops.convert_to_tensor, (INPUTS, SOURCE, LSTMS))
    outputs, state, weights = compiled(run)(*arrays)

    assert_close(outputs_of(outputs)[0][REAL], expected[REAL])
    for layer, lstm in enumerate(state["lstms"]):
        for name, array in lstm.items():
            wanted = [states[row][layer][name] for row in range(2)]
            assert_close(array, wanted)
    if kind == "none":
        assert weights is None
    else:
        assert_close(outputs_of(weights)[0][REAL], looks[REAL])
    assert ("fed" in state) == (kind == "fed")


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("kind", KINDS)
def test_dropout_in_training_only(kind):
    decoder = make_decoder(dropout=0.3, seed=3, **KINDS[kind])
    memory = decoder.remember(ops.convert_to_tensor(SOURCE))
    lstms = keras.tree.map_structure(ops.convert_to_tensor, LSTMS)
    state = decoder.initial_state(lstms)
    inputs = ops.convert_to_tensor(INPUTS)
    still = outputs_of(decoder(inputs, memory, state)[0])[0]

    moved = outputs_of(decoder(inputs, memory, state, training=True)[0])[0]

    assert_close(decoder(inputs, memory, state, training=False)[0], still, tolerance=0)
    assert np.abs(moved - still).max() > 1e-3
    assert 0.1 < (moved == 0).mean() < 0.5  # what the last dropout dropped
    assert [layer.seed for layer in decoder.dropouts] == [3, 4, 5]


def test_dropout_between_the_layers_of_a_loop():
    # Inputs of 0 and a bias of 0: the first layer is dropped to nothing or doubled.
    decoder = make_decoder(dropout=0.5, seed=3, attention="luong")
    memory = decoder.remember(ops.convert_to_tensor(SOURCE))
    lstms = keras.tree.map_structure(ops.convert_to_tensor, LSTMS)
    state, inputs = decoder.initial_state(lstms), ops.zeros((2, 1, 3))

    _, still, _ = decoder(inputs, memory, state)
    _, moved, _ = decoder(inputs, memory, state, training=True)

    for name in ("hidden", "cell"):
        first, second = (
            np.abs(outputs_of(still["lstms"][i][name] - moved["lstms"][i][name])[0])
            for i in range(2)
        )
        assert first.max() < 1e-6
        assert second.max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_dim": 0}, "`hidden_dim` must be at least 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"output_dim": 0}, "`output_dim` must be at least 1"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
        ({"attention": "additive"}, "`attention` must be one of"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        LSTMDecoder(**{"hidden_dim": 3, **changes})
