"""What the exporting process is given: float32, importable layers, references."""

import json

import keras
import numpy as np
import pytest

from keras_lm.export.hand_over import (
    check_pipeline,
    defining_modules,
    hand_over,
    in_float32,
)
from tests.export.conftest import make_pipeline
from tests.export.fake_layers import FourierAttention


def test_the_job_can_be_read_in_another_process(pipeline, tmp_path):
    job, expected = hand_over(pipeline, tmp_path)

    assert json.loads(json.dumps(job)) == job
    assert json.loads(json.dumps(expected)) == expected
    assert (tmp_path / "pipeline" / "model.keras").is_file()


def test_a_float32_pipeline_is_taken_as_it_is(pipeline):
    assert in_float32(pipeline) is pipeline


def test_half_precision_becomes_float32_with_the_same_weights():
    half = make_pipeline(dtype="mixed_bfloat16")

    twin = in_float32(half)

    layers = [twin.model, *twin.model._flatten_layers(include_self=False)]
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert half.model.compute_dtype == "bfloat16"
    assert twin.max_new_tokens == half.max_new_tokens
    for one, other in zip(half.model.get_weights(), twin.model.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_modules_of_layers_that_are_not_ours_are_named(pipeline):
    attention = FourierAttention(num_heads=4, key_dim=6)
    foreign = make_pipeline(attention=attention)

    assert defining_modules(pipeline.model) == []
    assert defining_modules(foreign.model) == ["tests.export.fake_layers"]


def test_a_layer_of_a_script_is_refused(monkeypatch):
    attention = FourierAttention(num_heads=4, key_dim=6)
    foreign = make_pipeline(attention=attention)
    monkeypatch.setattr(FourierAttention, "__module__", "__main__")

    with pytest.raises(ValueError, match="must be defined in a module that another"):
        check_pipeline(foreign)


def test_a_quantised_model_is_refused():
    quantised = make_pipeline()
    quantised.model.blocks[0].feed_forward.inner_projection.quantize("int8")

    with pytest.raises(ValueError, match="must not be quantised already"):
        check_pipeline(quantised)


def test_no_pipeline_is_refused():
    with pytest.raises(TypeError, match="`pipeline` must be a `keras_lm.pipelines"):
        check_pipeline(keras.Sequential())
