"""merge_adapters: a plain model that answers the same, is saved and fitted."""

import keras
import numpy as np
import pytest

from keras_lm import pipelines, text
from keras_lm.models.quick_deletion import quick_deletion
from keras_lm.training import enable_lora, merge_adapters, unfreeze
from keras_lm.training.adapters import adapted_layers, adapter_of
from tests.checks import assert_close
from tests.training.small_classifier import INPUTS, fit, make_classifier, values


def adapted(**changes):
    model = make_classifier(**changes)
    enable_lora(model, rank=2, alpha=5.0, targets="block_0|embedding|head")
    for place, layer in enumerate(adapted_layers(model).values()):
        adapter = adapter_of(layer)
        adapter.b.assign(np.random.default_rng(place).normal(size=adapter.b.shape))
    return model


@pytest.mark.slow_elsewhere
def test_it_answers_the_same_after_predictions_were_compiled(tmp_path):
    model = adapted()
    names = set(values(make_classifier()))
    before = model.predict(INPUTS, verbose=0)

    merge_adapters(model)

    assert_close(model.predict(INPUTS, verbose=0), before)
    assert len(values(model)) == len(names)
    assert adapted_layers(model) == {}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_close(loaded(INPUTS), before)


@pytest.mark.once
def test_a_model_around_it_that_was_compiled_before_answers_the_same():
    model = adapted()
    inputs = {
        name: keras.Input(array.shape[1:], dtype=str(array.dtype), name=name)
        for name, array in INPUTS.items()
    }
    outer = keras.Model(inputs, model(inputs))
    before = outer.predict(INPUTS, verbose=0)

    merge_adapters(model)

    assert_close(outer.predict(INPUTS, verbose=0), before)


@pytest.mark.slow_elsewhere
def test_it_is_fitted_and_adapted_again():
    model = adapted()
    fit(model, "sgd")
    merge_adapters(model)
    assert not model.compiled
    assert enable_lora(model, rank=1).trained == 4 * 12
    merge_adapters(model)
    assert unfreeze(model, "").trained == sum(a.size for a in values(model).values())
    fit(model, "sgd")


@pytest.mark.slow_elsewhere
def test_a_pipeline_of_an_adapted_model_is_saved_as_if_merged(tmp_path):
    tokenizer = text.train_tokenizer(["good bad 电影 🙂"] * 5, 300)
    model = adapted(vocabulary_size=tokenizer.vocabulary_size, max_sequence_length=19)
    model.compile("sgd", "mse")
    classifier = pipelines.TextClassifier(model, tokenizer, ["-", "0", "+"])
    texts = ["good", "坏 🙂", "", b"\xff"]
    classifier.save(tmp_path / "c")

    loaded = pipelines.load(tmp_path / "c")

    assert_close(loaded.logits(texts), classifier.logits(texts))
    assert adapted_layers(loaded.model) == {}
    assert len(adapted_layers(model)) > 0


@pytest.mark.once
def test_what_has_none_or_is_quantised_is_refused():
    with pytest.raises(ValueError, match="must have adapters, see `enable_lora`. Rec"):
        merge_adapters(make_classifier())
    model = adapted()
    with quick_deletion():
        model.quantize("int8")
    with pytest.raises(
        ValueError, match="must be merged before the model is quantised"
    ):
        merge_adapters(model)
