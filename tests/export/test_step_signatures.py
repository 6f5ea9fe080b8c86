"""Steps as graphs: how the parts of their state are called, and how large they are."""

import keras
import numpy as np
import pytest

from keras_lm.export.step_signatures import (
    by_name,
    decoder_signatures,
    decoder_specs,
    encoder_decoder_signatures,
    encoder_decoder_specs,
)
from tests.checks import assert_close

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow graphs"
)


def shapes(specs):
    return {name: tuple(spec.shape) for name, spec in specs.items()}


def test_a_state_is_named_by_its_path(pipeline):
    assert shapes(decoder_specs(pipeline.model)) == {
        "state_clock_index": (),
        "state_clock_length": (1,),
        "state_clock_visible": (1, 61),
        "state_rows_0_key": (1, 2, 61, 6),
        "state_rows_0_value": (1, 2, 61, 6),
        "state_rows_1_key": (1, 2, 61, 6),
        "state_rows_1_value": (1, 2, 61, 6),
    }


def test_a_source_is_named_too_and_is_of_any_length(translator):
    found = shapes(encoder_decoder_specs(translator.model))

    assert {name: size for name, size in found.items() if "source" in name} == {
        "source_blocks_0_key": (1, 4, None, 6),
        "source_blocks_0_value": (1, 4, None, 6),
        "source_blocks_1_key": (1, 4, None, 6),
        "source_blocks_1_value": (1, 4, None, 6),
        "source_padding_mask": (1, None),
    }
    assert found["state_rows_1_value"] == (1, 4, 23, 6)


def test_a_decoders_signatures_take_the_state_by_name(pipeline):
    found = decoder_signatures(pipeline.model)

    assert list(found) == ["prefill", "decode"]
    placed, named = found["decode"].structured_input_signature
    assert [argument.name for argument in placed] == ["token_ids"]
    assert set(named) == set(decoder_specs(pipeline.model))


def test_a_source_is_encoded_once_and_read_by_each_step(translator):
    import tensorflow as tf

    found = encoder_decoder_signatures(translator.model)
    given = found["encode"](token_ids=tf.constant([[7, 8, 9, 10, 1]]))
    names = encoder_decoder_specs(translator.model)
    assert set(given) == set(names)

    after = found["prefill"](token_ids=tf.constant([[1, 5]]), **given)
    assert set(after) == {n for n in names if n.startswith("state_")} | {"logits"}
    logits = (
        after.pop("logits"),
        found["decode"](token_ids=tf.constant([[6]]), **{**given, **after})["logits"],
    )

    whole = translator.model(np.array([[7, 8, 9, 10, 1]]), np.array([[1, 5, 6]]))
    assert_close(np.concatenate(logits), whole[0, 1:])


def test_names_follow_the_order_in_which_a_state_is_packed(translator):
    state = translator.model.initial_state({"token_ids": np.ones((1, 2), "int32")}, 5)

    assert all(
        one is other or (one.numpy() == keras.ops.convert_to_numpy(other)).all()
        for one, other in zip(
            by_name(state).values(), keras.tree.flatten(state), strict=True
        )
    )
