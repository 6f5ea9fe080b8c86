"""weight_paths: the same in every session; patterns, and what they are refused for."""

import keras
import pytest

from keras_lm.models import TransformerEncoder
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


def test_weights_of_two_encoders_keep_their_numbers():
    inputs = keras.Input((None,), dtype="int32")
    first, second = (TransformerEncoder(**{**SIZES, "num_layers": 1}) for _ in range(2))
    model = keras.Model(inputs, [first(inputs), second(inputs)])

    named = weight_paths(model)

    assert len(named) == len(model.weights)
    assert {path.split("/")[0] for path in named} == {first.name, second.name}


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
