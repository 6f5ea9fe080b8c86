"""weight_paths: the same in every session; patterns, and what they are refused for."""

import keras
import numpy as np
import pytest

from keras_lm.models import TransformerEncoder
from keras_lm.training.freeze import freeze
from keras_lm.training.weight_paths import matching_paths, path_of, weight_paths
from tests.training.small_classifier import SIZES, make_classifier

pytestmark = pytest.mark.once
PATHS = ["encoder/block_0/query/kernel", "encoder/block_1/query/bias", "head/kernel"]


def test_paths_do_not_count_models():
    first, second = (list(weight_paths(make_classifier())) for _ in range(2))

    assert first == second
    assert "transformer_encoder/block_1/attention/query/kernel" in first
    assert "sequence_classifier/head/bias" in first
    assert (
        path_of("lstm_encoder_12/forward_3/kernel") == "lstm_encoder/forward_3/kernel"
    )


def two_encoders():
    inputs = keras.Input((None,), dtype="int32")
    first, second = (TransformerEncoder(**{**SIZES, "num_layers": 1}) for _ in range(2))
    return keras.Model(inputs, [second(inputs), first(inputs)]), (second, first)


def test_two_encoders_are_counted_within_their_model():
    TransformerEncoder(**SIZES)  # counted by Keras
    (one, encoders), (twin, _) = two_encoders(), two_encoders()

    named = weight_paths(one)

    assert list(named) == list(weight_paths(twin))
    assert len(named) == len(one.weights)
    for name, encoder in zip(
        ["transformer_encoder", "transformer_encoder_1"], encoders
    ):
        own = {id(weight) for path, weight in named.items() if f"{name}/" in path}
        assert own == {id(weight) for weight in encoder.weights}


def made_by_keras():
    """A model whose layers have no names, built by a call."""
    lstm = keras.layers.LSTM(2, return_sequences=True)
    parts = [keras.layers.Dense(3), keras.layers.Dense(3)]
    inner = keras.Sequential([keras.layers.Dense(3)])
    return keras.Sequential([*parts, keras.layers.Bidirectional(lstm), inner])


def test_layers_without_names_are_counted_within_their_parent():
    model, twin = made_by_keras(), made_by_keras()
    for one in (model, twin):
        one(np.ones((1, 2, 3), "float32"))

    named = weight_paths(model)

    assert list(named) == list(weight_paths(twin))
    assert [path for path in named if path.endswith("/bias")] == [
        f"sequential/{name}/bias"
        for name in [
            "dense",
            "dense_1",
            "bidirectional/forward_lstm/lstm_cell",
            "bidirectional/backward_lstm/lstm_cell",
            "sequential/dense",
        ]
    ]


def test_names_from_0_were_given():
    model = keras.Sequential([keras.layers.Dense(5, name=f"dense_{n}") for n in (0, 1)])
    model.build((None, 5))

    assert [path.split("/")[-2] for path in weight_paths(model)] == [
        *["dense_0"] * 2,
        *["dense_1"] * 2,
    ]


class Alike(keras.Model):
    """Six layers with the names that they are given."""

    def __init__(self, names):
        super().__init__(name="net_3")
        self.parts = [keras.layers.Dense(5, name=name) for name in names]
        for part in self.parts:
            part.build((None, 5))


def test_names_that_were_given_stay_and_equal_ones_are_counted():
    names = ["头_2", "头", "头", "block_1", "头_1", "头"]
    model = Alike(names)

    named = weight_paths(model)

    biases = [path for path in named if path.endswith("/bias")]
    assert biases == [
        f"{name}/bias" for name in ["头_2", "头", "头_1", "block_1", "头_1_1", "头_3"]
    ]
    assert [id(weight) for weight in named.values()] == [id(w) for w in model.weights]
    assert freeze(model, "").total == 6 * 30


def test_a_pattern_is_found_anywhere_in_a_path():
    assert matching_paths(PATHS, ["kernel"], "names") == [PATHS[0], PATHS[2]]
    assert matching_paths(PATHS, ["bias$", "block_[01]"], "names") == PATHS[:2]
    assert matching_paths(PATHS, [""], "names") == PATHS


@pytest.mark.parametrize(
    ("patterns", "error", "message"),
    [
        ([], ValueError, "`names` must name some weights. Received: none"),
        (
            ["bias", "kernal"],
            ValueError,
            "'kernal', which is in none of 3; the nearest",
        ),
        (["heads/kernel"], ValueError, r"nearest are \['head/kernel'"),
        (["("], ValueError, r"`names` must be regular expressions. Received: '\('"),
        ([3], TypeError, "`names` must be strings. Received: 3"),
        (["数组"], ValueError, "'数组', which is in none of 3"),
    ],
)
def test_what_names_nothing_is_refused(patterns, error, message):
    with pytest.raises(error, match=message):
        matching_paths(PATHS, patterns, "names")
