"""Weights under CTranslate2's names: each in its place, turned, repeated, none lost."""

import keras
import numpy as np
import pytest

from keras_lm.export.ctranslate2_weights import weights_of
from tests.export.conftest import make_pipeline
from tests.export.test_ctranslate2_settings import make_translator

pytestmark = pytest.mark.once


def array(variable):
    return keras.ops.convert_to_numpy(variable)


def test_all_weights_of_a_decoder_are_there_once():
    pipeline = make_pipeline(num_key_value_heads=2, gated=True, positions="learned")

    weights = weights_of(pipeline.model)

    tied = weights.pop("decoder.projection.weight")
    assert tied is weights["decoder.embeddings.weight"]
    assert sum(one.size for one in weights.values()) == pipeline.model.count_params()


def test_all_weights_of_an_encoder_decoder_are_there():
    translator = make_translator(tie_embeddings=False, positions="learned")
    model = translator.model

    weights = weights_of(model)

    # The encoder has its own copies of what it shares with the decoder.
    shared = (model.vocabulary_size + model.max_sequence_length) * model.hidden_dim
    count = sum(one.size for one in weights.values())
    assert count - shared == model.count_params()
    assert {one.dtype.name for one in weights.values()} == {"float32"}


def test_queries_keys_and_values_lie_side_by_side_as_output_by_input():
    attention = (
        (model := make_pipeline(num_key_value_heads=2).model).blocks[1].attention
    )
    projections = [attention.query_projection, attention.key_projection]
    for i, layer in enumerate([*projections, attention.value_projection]):
        layer.bias.assign(np.full(layer.bias.shape, i + 1.0))

    weights = weights_of(model)

    kernel = weights["decoder.layer.1.self_attention.linear.0.weight"]
    bias = weights["decoder.layer.1.self_attention.linear.0.bias"]
    assert kernel.shape == (24 + 12 + 12, 24)
    np.testing.assert_array_equal(
        kernel[24:36], array(attention.key_projection.kernel).T
    )
    np.testing.assert_array_equal(bias, [1.0] * 24 + [2.0] * 12 + [3.0] * 12)


def test_positions_are_a_table_or_zeros_or_none():
    none = weights_of(make_translator(positions=None).model, max_source_length=80)
    rotary = weights_of(make_translator().model)

    assert none["encoder.position_encodings.encodings"].shape == (80, 24)
    assert none["decoder.position_encodings.encodings"].shape == (71, 24)
    assert not none["encoder.position_encodings.encodings"].any()
    assert not [name for name in rotary if "position" in name]
