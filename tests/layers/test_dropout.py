"""Dropout: the share that is dropped, what stays, and seeds."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import Dropout
from tests.checks import gradients

ONES = np.ones((40, 100, 50), "float32")


def dropped(inputs=ONES, rate=0.1, seed=3, **kwargs):
    layer = Dropout(rate, seed, **kwargs)
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(inputs), training=True))


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.5, 0.9])
def test_a_fraction_is_zero_and_the_rest_scaled(rate):
    outputs = dropped(rate=rate)

    kept = outputs[outputs != 0]
    np.testing.assert_allclose(kept, 1 / (1 - rate), rtol=2e-3 if rate > 0.8 else 2e-4)
    expected, spread = 1 - rate, np.sqrt(rate * (1 - rate) / outputs.size)
    assert abs(kept.size / outputs.size - expected) < 5 * spread + 2**-16


def test_what_is_dropped_has_no_pattern():
    keep = dropped(rate=0.5) != 0
    flat = keep.reshape(-1) - 0.5

    for distance in (1, 2, 50, 64, 5000):  # neighbours, rows, words, blocks
        together = np.mean(flat[distance:] * flat[:-distance]) * 4
        assert abs(together) < 5 / np.sqrt(flat.size)
    for axes in ((0, 1), (0, 2), (1, 2)):
        means = np.mean(keep - 0.5, axis=axes)
        assert np.abs(means).max() < 5 * 0.5 / np.sqrt(keep.size / means.size)


def test_each_call_and_each_seed_drops_others():
    layer = Dropout(0.5, seed=3)
    first, second = (
        ops.convert_to_numpy(layer(ops.convert_to_tensor(ONES), training=True)) != 0
        for _ in range(2)
    )
    other = dropped(rate=0.5, seed=4) != 0

    for one, two in ((first, second), (first, other), (second, other)):
        assert abs(np.mean(one == two) - 0.5) < 5 * 0.5 / np.sqrt(ONES.size)
    np.testing.assert_array_equal(first, dropped(rate=0.5) != 0)


def test_the_gradient_passes_where_the_input_did():
    layer = Dropout(0.3, seed=1)

    def total(inputs):
        return ops.sum(layer(inputs, training=True) * inputs)

    _, (slope,) = gradients(total, [ONES[0]])

    again = Dropout(0.3, seed=1)
    outputs = ops.convert_to_numpy(again(ops.convert_to_tensor(ONES[0]), training=True))
    np.testing.assert_allclose(slope, 2 * outputs, rtol=1e-5)


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.0, True)])
def test_nothing_is_dropped_otherwise(rate, training):
    outputs = Dropout(rate)(ops.convert_to_tensor(ONES), training=training)

    np.testing.assert_array_equal(ops.convert_to_numpy(outputs), ONES)


def test_all_is_dropped_at_one_and_almost_all_just_below():
    assert not dropped(rate=1.0).any()
    assert np.isfinite(dropped(rate=float(np.nextafter(1, 0)))).all()


def test_an_empty_batch_stays_empty():
    assert dropped(ONES[:0]).shape == (0, 100, 50)


def test_half_precision_stays_half():
    layer = Dropout(0.5, dtype="mixed_float16")

    outputs = layer(ops.convert_to_tensor(ONES), training=True)

    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"


def test_it_comes_back_from_its_config():
    layer = Dropout(0.25, seed=7)

    again = Dropout.from_config(layer.get_config())

    assert (again.rate, again.seed) == (0.25, 7)


def test_what_does_not_fit_is_refused():
    for rate in (1.5, -0.1, float("nan"), None, "0.1"):
        with pytest.raises(
            ValueError, match="`rate` must be from 0 to 1. Received: ra"
        ):
            Dropout(rate)
    with pytest.raises(ValueError, match=r"`noise_shape` must be left out.*=\(1, 5\)"):
        Dropout(0.5, noise_shape=(1, 5))
    assert Dropout(0.5, noise_shape=None).rate == 0.5
