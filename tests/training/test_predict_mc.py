"""predict_mc: its numbers, what it switches, what it leaves behind, its errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import BayesianAttention
from keras_lm.models import TransformerDecoder
from keras_lm.training import predict_mc
from keras_lm.training.predict_mc import bayesian_layers, stochastic_attention
from tests.checks import assert_close

INPUTS = np.random.default_rng(seed=0).normal(size=(5, 7, 6)).astype("float32")


def make_model(num_layers=2, activation=None, seed=3):
    inputs = keras.Input((7, 6))
    hidden = inputs
    for place in range(num_layers):
        hidden = BayesianAttention(2, 3, seed=seed + place)(hidden)
    logits = keras.layers.Dense(3, activation)(hidden[:, 0])
    return keras.Model(inputs, 5.0 * logits if activation is None else logits)


@pytest.fixture(scope="module")
def model():
    return make_model()


def generator_states(model):
    layers = bayesian_layers(model)
    return [ops.convert_to_numpy(layer.seed_generator.state) for layer in layers]


class Fake(keras.Model):
    """Gives one prepared output after the other."""

    def __init__(self, outputs):
        super().__init__()
        self.attention = BayesianAttention(1, 1)
        self.outputs_to_come = iter(outputs)

    def predict(self, inputs, batch_size=None, verbose=None):
        return next(self.outputs_to_come)


def test_a_case_done_by_hand():
    # Row 0: two samples that are sure of opposite things: all doubt is the model's.
    # Row 1: two that both toss a coin: all doubt is the data's. Row 2: no doubt.
    first = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    second = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    fake = Fake([first, second])
    fake.attention.build((None, None, 1))

    found = predict_mc(fake, None, num_samples=2, from_logits=False)

    assert_close(found.probabilities, [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]])
    assert_close(found.total_entropy, np.log([2, 2, 1]))
    assert_close(found.expected_entropy, np.log([1, 2, 1]))
    assert_close(found.mutual_information, np.log([2, 1, 1]))


def test_it_is_the_mean_of_many_draws(model):
    found = predict_mc(model, INPUTS, num_samples=6, batch_size=2, seed=4)

    for array in found[1:]:
        assert array.shape == (5,)
    assert_close(found.probabilities.sum(axis=-1), np.ones(5))
    assert_close(found.total_entropy, found.expected_entropy + found.mutual_information)
    assert np.all(found.mutual_information > 1e-4)
    plainly = ops.softmax(model.predict(INPUTS, verbose=0))
    assert np.abs(ops.convert_to_numpy(plainly) - found.probabilities).max() > 1e-3


def test_probabilities_are_not_normalised_again():
    found = predict_mc(make_model(1, "softmax"), INPUTS, 2, from_logits=False)
    assert_close(found.probabilities.sum(axis=-1), np.ones(5))


def test_a_seed_gives_the_same_draws_and_leaves_the_generators_alone(model):
    states = generator_states(model)
    first, second = (predict_mc(model, INPUTS, 2, seed=9) for _ in range(2))
    np.testing.assert_array_equal(generator_states(model), states)
    other, unseeded = predict_mc(model, INPUTS, 2, seed=8), predict_mc(model, INPUTS, 2)

    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    for another in (other, unseeded):
        assert np.abs(another.probabilities - first.probabilities).max() > 1e-4


def test_a_compiled_model_predicts_as_before_to_the_bit(model):
    before = model.predict(INPUTS, verbose=0)
    compiled = model.predict_function

    predict_mc(model, INPUTS, 2)

    assert model.predict_function is compiled
    np.testing.assert_array_equal(model.predict(INPUTS, verbose=0), before)
    assert not any(layer.stochastic for layer in bayesian_layers(model))


def test_after_an_exception_everything_is_as_before(model):
    before = model.predict(INPUTS, verbose=0)
    compiled = model.predict_function
    with pytest.raises(RuntimeError, match="on purpose"):
        with stochastic_attention(model, seed=1):
            assert all(layer.stochastic for layer in bayesian_layers(model))
            model.predict(INPUTS[:2], verbose=0)
            raise RuntimeError("on purpose")

    assert model.predict_function is compiled
    np.testing.assert_array_equal(model.predict(INPUTS, verbose=0), before)


def test_inputs_that_do_not_fit_break_nothing(model):
    before = model.predict(INPUTS, verbose=0)
    with pytest.raises(Exception, match=r"\S"):
        predict_mc(model, np.zeros((2, 7, 9)), 2)
    np.testing.assert_array_equal(model.predict(INPUTS, verbose=0), before)


class Interrupt(keras.callbacks.Callback):
    def on_predict_batch_end(self, batch, logs=None):
        if batch == 1:
            raise KeyboardInterrupt


def test_an_interruption_between_batches_breaks_nothing(model):
    before = model.predict(INPUTS, verbose=0)
    with pytest.raises(KeyboardInterrupt), stochastic_attention(model):
        model.predict(INPUTS, batch_size=2, verbose=0, callbacks=[Interrupt()])
    np.testing.assert_array_equal(model.predict(INPUTS, verbose=0), before)


def test_layers_inside_blocks_draw_too():
    decoder = TransformerDecoder(
        vocabulary_size=13,
        num_layers=2,
        num_heads=3,
        hidden_dim=18,
        intermediate_dim=11,
        max_sequence_length=19,
        attention=["bayesian", "multi_head"],
    )
    token_ids = np.random.default_rng(seed=0).integers(0, 13, size=(3, 7))

    found = predict_mc(decoder, token_ids.astype("int32"), num_samples=2)

    assert len(bayesian_layers(decoder)) == 1
    assert found.probabilities.shape == (3, 7, 13)
    assert np.all(found.mutual_information[:, 1:] > 0)
    assert_close(found.mutual_information[:, 0], np.zeros(3))  # it sees one key


def test_a_model_that_does_not_draw_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="must hold a `BayesianAttention` layer"):
        predict_mc(model, np.ones((2, 3)))


def test_no_samples_are_refused(model):
    with pytest.raises(ValueError, match="`num_samples` must be at least 1"):
        predict_mc(model, INPUTS, num_samples=0)


def test_two_outputs_are_refused():
    fake = Fake([[np.ones((2, 3)), np.ones((2, 3))]])
    fake.attention.build((None, None, 1))
    with pytest.raises(ValueError, match="`model` must have one output"):
        predict_mc(fake, None)
