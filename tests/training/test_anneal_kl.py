"""AnnealKL: its ramp over steps and over epochs, resumed, without compiling again."""

import keras
import numpy as np
import pytest

from keras_lm.layers import BayesianAttention
from keras_lm.training import AnnealKL
from tests.checks import JIT

INPUTS = np.random.default_rng(seed=0).normal(size=(6, 7, 5)).astype("float32")


class Watch(keras.callbacks.Callback):
    """Notes the weight that each step is taken with."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        layers = [x for x in self.model.layers if isinstance(x, BayesianAttention)]
        self.seen.append([round(float(layer.kl_weight), 6) for layer in layers])


def make_model():
    inputs = keras.Input((7, 5))
    hidden = BayesianAttention(1, 2, kl_weight=0.4, seed=1)(inputs)
    hidden = BayesianAttention(2, 3, kl_weight=0.8, seed=2)(hidden)
    model = keras.Model(inputs, hidden)
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=JIT)
    return model


def fit(model, anneal, **options):
    """Three steps an epoch; the weights of both layers at each step."""
    watch = Watch()
    options = {"batch_size": 2, "shuffle": False, "verbose": 0, **options}
    history = model.fit(INPUTS, INPUTS, callbacks=[anneal, watch], **options).history
    return watch.seen, history["loss"]


@pytest.mark.slow_elsewhere
def test_a_ramp_over_steps_goes_on_where_it_was():
    model = make_model()
    first, _ = fit(model, AnnealKL(steps=4))
    second, _ = fit(model, AnnealKL(steps=4))  # a new callback: the optimizer counts
    assert first == [[0.0, 0.0], [0.1, 0.2], [0.2, 0.4]]
    assert second == [[0.3, 0.6], [0.4, 0.8], [0.4, 0.8]]


@pytest.mark.slow_elsewhere
def test_a_ramp_over_epochs_knows_the_first_epoch():
    model = make_model()
    seen, _ = fit(model, AnnealKL(epochs=2, target=1.0), epochs=3)
    assert seen == [[0.0, 0.0]] * 3 + [[0.5, 0.5]] * 3 + [[1.0, 1.0]] * 3
    resumed, _ = fit(model, AnnealKL(epochs=2, target=1.0), epochs=2, initial_epoch=1)
    assert resumed == [[0.5, 0.5]] * 3


def test_the_step_that_is_compiled_uses_it():
    model = make_model()
    _, losses = fit(model, AnnealKL(epochs=1, target=100.0), epochs=2)
    assert losses[1] > losses[0] + 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Exactly one of `steps` and `epochs`"),
        ({"steps": 2, "epochs": 2}, "Exactly one of `steps` and `epochs`"),
        ({"steps": 0}, "`steps` must be at least 1"),
        ({"epochs": 0}, "`epochs` must be at least 1"),
        ({"steps": 2, "target": -1.0}, "`target` must be at least 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AnnealKL(**arguments)


def test_a_model_with_nothing_to_anneal_is_refused():
    model = keras.Sequential([keras.Input((7, 5)), keras.layers.Dense(5)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must hold a `BayesianAttention` layer"):
        fit(model, AnnealKL(steps=2))
