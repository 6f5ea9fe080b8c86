"""TrainedWeights: how it prints; what is marked, and what must be compiled again."""

import keras
import numpy as np
import pytest

from keras_lm.training.trained_weights import (
    TrainedWeights,
    count_trained,
    forget_compiled,
    set_trained,
)
from tests.training.small_classifier import make_classifier


@pytest.mark.once
def test_it_prints_as_a_sentence():
    assert str(TrainedWeights(1234, 56789)) == (
        "1,234 of 56,789 numbers are trained (2.2 %)"
    )
    assert str(TrainedWeights(0, 0)) == "0 of 0 numbers are trained (0.0 %)"


@pytest.mark.once
def test_what_a_layer_hid_is_marked_weight_by_weight():
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((2,)), *layers])
    layers[0].trainable = False

    set_trained(model, lambda weight, was: was)

    assert layers[0].trainable
    assert [w.path.split("/")[-1] for w in model.trainable_weights] == ["gamma", "beta"]
    set_trained(model, lambda weight, was: True)  # not the moving mean and variance
    assert count_trained(model) == TrainedWeights(9 + 6, 9 + 12)


@pytest.mark.once
def test_what_was_compiled_is_forgotten():
    model = make_classifier()
    model.compile("sgd", "mse")
    model.encoder.compile("sgd", "mse")
    forget_compiled(model)

    for one in (model, model.encoder):
        assert (one.compiled, one.optimizer, one.train_function) == (False, None, None)
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):
        model.fit({"token_ids": np.ones((1, 2), "int32")}, np.zeros(1))
