"""Adapters: which layers can have one, and what kernel and adapter make together."""

import keras
import numpy as np
import pytest

from keras_lm.training.adapters import (
    adaptable_layers,
    adapted_layers,
    adapter_of,
    add_adapters,
    base_of,
    merged_kernel,
    merged_weights,
    names_of,
)
from tests.checks import assert_close
from tests.training.small_classifier import INPUTS, make_classifier


def sequential(*layers):
    model = keras.Sequential([keras.Input((2,)), *layers])
    add_adapters(adaptable_layers(model), 1, 2.0)
    return model


def test_a_case_done_by_hand():
    # A = (1, 2), B = (3, 4): 2 A B = ((6, 8), (12, 16)), added to 1s.
    model = sequential(keras.layers.Dense(2, kernel_initializer="ones"))
    (layer,) = adapted_layers(model).values()
    adapter = adapter_of(layer)
    adapter.a.assign([[1.0], [2.0]])
    adapter.b.assign([[3.0, 4.0]])

    assert (adapter.rank, adapter.alpha) == (1, 2.0)
    assert_close(merged_kernel(layer), [[7.0, 9.0], [13.0, 17.0]])
    assert_close(model(np.array([[1.0, 0.0]])), [[7.0, 9.0]])
    assert_close(base_of(layer), np.ones((2, 2)))


@pytest.mark.once
@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (
            keras.layers.EinsumDense("ab,bcd->acd", (3, 4), bias_axes="d"),
            np.ones((1, 2)),
        ),
        (keras.layers.Embedding(5, 3), np.array([[4, 2]])),
        (keras.layers.ReversibleEmbedding(5, 3), np.array([[4, 2]])),
    ],
)
def test_layers_of_each_kind(layer, inputs):
    model = sequential(layer)
    for name in names_of(layer):
        getattr(layer, name).assign(
            np.random.default_rng(1).normal(size=getattr(layer, name).shape)
        )
    adapted = model(inputs)

    assert model.trainable_weights[-2:] == [getattr(layer, n) for n in names_of(layer)]
    twin = keras.Sequential.from_config(model.get_config())
    base_of(twin.layers[0]).assign(merged_kernel(layer))
    assert_close(twin(inputs), adapted)
    base_of(twin.layers[0]).assign(base_of(layer))
    difference = keras.ops.convert_to_numpy(twin(inputs) - adapted)
    assert np.abs(difference).max() > 1e-2


@pytest.mark.once
def test_merged_weights_are_those_of_the_plain_model():
    model = make_classifier()
    plain = make_classifier()
    layers = adaptable_layers(model)
    add_adapters(layers, 2, 3.0)
    for layer in layers.values():
        adapter_of(layer).b.assign(np.full(adapter_of(layer).b.shape, 0.1))
    plain.set_weights(merged_weights(model))

    assert set(layers) == {
        path for path in adaptable_layers(plain) if "kernel" in path or "embedd" in path
    }
    assert adapted_layers(plain) == {}
    assert_close(plain(INPUTS), model(INPUTS))


@pytest.mark.once
def test_in_mixed_precision_the_kernel_is_merged_in_its_own():
    model = make_classifier(dtype="mixed_bfloat16")
    layer = model.encoder.blocks[0].attention.query_projection
    add_adapters({"query": layer}, 1, 1.0)
    adapter_of(layer).b.assign(np.full((1, 6), 0.01))

    merged = merged_kernel(layer)

    expected = base_of(layer) + 0.01 * adapter_of(layer).a
    assert merged.dtype == "float32"
    assert_close(merged, expected, 1e-7)
