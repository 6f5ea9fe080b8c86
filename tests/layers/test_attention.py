"""Attention, the skeleton: what it demands of a final class, its config, its errors.

And what all final classes have in common: how much they build.
"""

import keras
import numpy as np
import pytest

from keras_lm.layers import Attention, MultiHeadAttention
from keras_lm.layers.choose_attention import ATTENTIONS
from tests.checks import assert_close
from tests.largest_array import largest_array

HIDDEN = np.random.default_rng(seed=0).normal(size=(2, 5, 7)).astype("float32")


class MeanOfValues(Attention):
    """The smallest final class: every query gets the mean of all values."""

    def attend(self, query, key, value, visibility, training):
        mean = keras.ops.mean(value, axis=2, keepdims=True)
        return mean + keras.ops.zeros_like(query)


def test_a_final_class_says_how_it_attends():
    # With identity projections and one head, the mean of the values comes out.
    layer = MeanOfValues(num_heads=1, key_dim=7, use_bias=False)
    layer(HIDDEN, HIDDEN)
    layer.set_weights([np.eye(7)] * 4)

    mean = HIDDEN.mean(axis=1, keepdims=True)
    assert_close(layer(HIDDEN, HIDDEN), np.repeat(mean, 5, axis=1))


def test_a_final_class_must_attend():
    with pytest.raises(NotImplementedError, match="Attention must define `attend`"):
        Attention(2, 3)(HIDDEN, HIDDEN)


def test_a_final_class_must_weigh_to_give_scores():
    with pytest.raises(NotImplementedError, match="MeanOfValues must define `weigh`"):
        MeanOfValues(2, 3)(HIDDEN, HIDDEN, return_attention_scores=True)


LONG = 2100  # above 1,024 squared: where scores are built, queries are taken in chunks
# Settings under which training too is said to build nothing of size T x T, by name.
FRUGAL = {
    "multi_head": {"value_dim": 3},
    "local": {"window": 16, "num_global_tokens": 2, "dropout": 0.3},
    "dynamic": {},
    "regional": {"region_size": 45, "dropout": 0.3},
    "bayesian": {"kl": "offset"},
}


def largest_of(layer, **options):
    """Numbers in the largest array of a call of `LONG` steps, some of them padding."""
    hidden = np.random.default_rng(seed=1).normal(size=(1, LONG, 6)).astype("float32")
    real = np.arange(LONG)[None] % 7 > 0

    def call(hidden, real):
        with keras.StatelessScope():  # no loss of a trace stays behind
            return layer(hidden, hidden, value_mask=real, **options)

    return largest_array(call, hidden, real)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_nothing_of_the_size_of_all_pairs_is_built_unasked(name):
    layer = ATTENTIONS[name](4, 2, num_key_value_heads=2, **FRUGAL[name])
    layer.build((None, None, 6))

    for training, causal in [(False, False), (False, True), (True, True)]:
        largest = largest_of(layer, training=training, use_causal_mask=causal)
        assert largest < LONG * LONG, (training, causal)


@pytest.mark.once
def test_the_weights_of_all_pairs_are_built_when_asked_for():
    layer = MultiHeadAttention(4, 2)
    layer.build((None, None, 6))
    assert largest_of(layer, return_attention_scores=True) == 4 * LONG * LONG


def test_the_configuration_is_the_constructor():
    arguments = {
        "num_heads": 6,
        "key_dim": 4,
        "value_dim": 5,
        "num_key_value_heads": 3,
        "dropout": 0.1,
        "use_bias": False,
        "output_dim": 11,
        "rotary_wavelength": 100.0,
        "qk_norm": True,
        "soft_cap": 20.0,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=2),
        "bias_initializer": keras.initializers.Constant(0.5),
        "kernel_regularizer": keras.regularizers.L2(0.01),
        "seed": 3,
        "use_output_bias": False,
        "rotary_scaling": {"rope_type": "linear", "factor": 2.0},
    }

    config = MultiHeadAttention(**arguments).get_config()
    again = MultiHeadAttention.from_config(config)

    assert set(arguments) == set(config) - {"name", "trainable", "dtype"}
    assert again.get_config() == config
    assert again.bias_initializer.value == 0.5
    assert again.kernel_regularizer.l2 == 0.01
    for name, argument in arguments.items():
        if isinstance(argument, int | float | dict):  # the others are serialized
            assert config[name] == getattr(again, name) == argument


def test_projections_follow_the_arguments():
    layer = MultiHeadAttention(
        6, 4, value_dim=5, num_key_value_heads=3, output_dim=11, use_bias=False
    )

    assert tuple(layer(HIDDEN, HIDDEN).shape) == (2, 5, 11)
    shapes = [tuple(weight.shape) for weight in layer.weights]
    assert shapes == [(7, 24), (7, 12), (7, 15), (30, 11)]


@pytest.mark.parametrize(
    ("use_bias", "use_output_bias", "expected"),
    [(True, None, 4), (False, None, 0), (True, False, 3), (False, True, 1)],
)
def test_the_last_projection_may_have_another_bias(use_bias, use_output_bias, expected):
    layer = MultiHeadAttention(2, 3, use_bias=use_bias, use_output_bias=use_output_bias)
    layer(HIDDEN, HIDDEN)

    assert len(layer.weights) == 4 + expected
    assert (layer.output_projection.bias is None) == (expected in (0, 3))


def test_initializers_draw_each_projection_anew():
    # Keras draws the same numbers twice from one unseeded initializer.
    layer = MultiHeadAttention(2, 3, kernel_initializer="he_normal")
    layer(HIDDEN, HIDDEN)
    query, _, key, *_ = layer.get_weights()

    assert np.abs(query - key).max() > 0.01


def test_the_regularizer_adds_to_the_loss():
    layer = MultiHeadAttention(2, 3, kernel_regularizer="l2")
    layer(HIDDEN, HIDDEN)

    kernels = [w for w in layer.get_weights() if w.ndim == 2]
    expected = 0.01 * sum((kernel**2).sum() for kernel in kernels)
    assert_close(sum(float(loss) for loss in layer.losses), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be at least 1"),
        ({"key_dim": 0}, "`key_dim` must be at least 1"),
        ({"value_dim": 0}, "`value_dim` must be at least 1"),
        ({"output_dim": 0}, "`output_dim` must be at least 1"),
        ({"num_key_value_heads": 0}, "`num_key_value_heads` must divide"),
        ({"num_key_value_heads": 4}, "`num_key_value_heads` must divide"),
        ({"num_key_value_heads": 12}, "`num_key_value_heads` must divide"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
        ({"dropout": -0.1}, "`dropout` must be at least 0 and below 1"),
        ({"rotary_wavelength": 0.0}, "`wavelength` must be above 0"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**{"num_heads": 6, "key_dim": 5, **changes})
