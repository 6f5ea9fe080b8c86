"""Quantised models: what their configuration says, and that a file of one is read."""

import json

import keras
import pytest

from keras_lm import models
from keras_lm.models import LSTMEncoder, SequenceClassifier
from keras_lm.models.quantized_layers import made_from, quantized_layers
from keras_lm.models.quick_deletion import quick_deletion
from tests.checks import assert_close, outputs_of
from tests.fakes import random_weights
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


SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 6}
TRANSFORMER = {"vocabulary_size": 11, **SIZES, "max_sequence_length": 5}
LSTM = {"vocabulary_size": 11, "embedding_dim": 8, "hidden_dim": 6, "num_layers": 1}
GENERATORS = {  # int4 in blocks: 128 numbers are Keras' own choice, -1 is all of a row
    "decoder": (models.TransformerDecoder, TRANSFORMER, "int4/128"),
    "both": (models.TransformerEncoderDecoder, TRANSFORMER, "int4/4"),
    "lstm": (models.LSTMLanguageModel, LSTM, "int8"),
    "lstm_both": (models.LSTMEncoderDecoder, LSTM, "int4/-1"),
}


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("name", GENERATORS)
def test_a_quantised_model_that_writes_is_saved_and_read(name, tmp_path):
    model_class, sizes, mode = GENERATORS[name]
    model = model_class(**sizes)
    random_weights(model, seed=0)
    arrays = [INPUTS["token_ids"]] * (2 if "both" in name else 1)
    plain = outputs_of(model(*arrays))[0]
    with quick_deletion():
        if mode in ("int4/4", "int4/-1"):
            size = int(mode.partition("/")[2])
            config = keras.quantizers.Int4QuantizationConfig(block_size=size)
            model.quantize(config=config)
        else:
            model.quantize(mode[:4])
    expected = outputs_of(model(*arrays))[0]
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert_close(outputs_of(loaded(*arrays))[0], expected, 1e-6)
    modes = quantized_layers(loaded)
    assert modes == quantized_layers(model)
    assert set(modes["quantized_layers"].values()) == {mode}
    with pytest.raises(AssertionError):
        assert_close(expected, plain, 1e-4)


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
