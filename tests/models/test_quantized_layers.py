"""Quantised models: what their configuration says, and that a file of one is read."""

import json

import keras
import pytest

from keras_lm.models import LSTMEncoder, SequenceClassifier
from keras_lm.models.quantized_layers import made_from, quantized_layers
from keras_lm.models.quick_deletion import quick_deletion
from tests.checks import assert_close
from tests.training.small_classifier import INPUTS, make_classifier, values


@pytest.mark.slow_elsewhere
def test_a_quantised_classifier_is_saved_and_read(tmp_path):
    model = make_classifier(pooling="first")
    plain = model(INPUTS)
    with quick_deletion():
        model.quantize("int8")
    answers = model.predict(INPUTS, verbose=0)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert_close(loaded.predict(INPUTS, verbose=0), answers, 1e-6)
    kinds = {array.dtype.name for array in values(loaded).values()}
    assert kinds == {"int8", "float32"}
    assert loaded.head.kernel.dtype == "int8"
    # A 127th of the largest weight is what each may be off by, and it shows.
    assert_close(answers, plain, 0.3)
    with pytest.raises(AssertionError):
        assert_close(answers, plain, 1e-5)


@pytest.mark.once
def test_what_is_not_quantised_says_nothing():
    model = make_classifier()
    assert quantized_layers(model) == {}
    assert "quantized_layers" not in model.get_config()
    with quick_deletion():
        model.quantize("int8", filters="head|query")
    modes = quantized_layers(model)["quantized_layers"]
    inside = model.encoder.name
    assert modes == {
        "head": "int8",
        f"{inside}/block_0/attention/query": "int8",
        f"{inside}/block_1/attention/query": "int8",
    }
    config = json.loads(json.dumps(model.get_config()))
    assert quantized_layers(
        made_from(
            SequenceClassifier,
            config
            | {"encoder": type(model.encoder).from_config(model.encoder.get_config())},
        )
    ) == {"quantized_layers": modes}


@pytest.mark.once
def test_under_other_names_the_same_layers_are_quantised():
    model = SequenceClassifier(LSTMEncoder(11, 4, 6), 3)
    with quick_deletion():
        model.quantize("int8", filters="head|token_embedding")
    config = model.get_config()
    config["name"] = "other"
    config["encoder"]["config"]["name"] = "one_more"

    copy = SequenceClassifier.from_config(config)

    modes = {"head": "int8", "one_more/token_embedding": "int8"}
    assert quantized_layers(copy) == {"quantized_layers": modes}
    config["quantized_layers"]["tail"] = "int8"
    with pytest.raises(ValueError, match=r"be paths of layers.*: \[.*'tail'\], which"):
        SequenceClassifier.from_config(config)


@pytest.mark.once
def test_of_an_lstm_the_embeddings_are_quantised():
    model = LSTMEncoder(11, 4, 6)
    with quick_deletion():
        model.quantize("int8")
    copy = LSTMEncoder.from_config(model.get_config())
    copy.set_weights(model.get_weights())

    assert copy.token_embedding.embeddings.dtype == "int8"
    assert_close(copy(INPUTS["token_ids"]), model(INPUTS["token_ids"]), 1e-6)
