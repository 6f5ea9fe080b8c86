"""What the heads on encoders share: how they are called, saved and quantised."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm import models
from keras_lm.models.encoder_head import EncoderHead
from keras_lm.models.quick_deletion import quick_deletion

TOKENS = np.array([[3, 4, 5, 6], [7, 8, 0, 0]], "int32")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)
HEADS = {
    "sequence": lambda encoder: models.SequenceClassifier(encoder, 3, seed=1),
    "token": lambda encoder: models.TokenClassifier(encoder, 5, seed=1),
    "span": lambda encoder: models.SpanExtractor(encoder, seed=1),
}


def encoder(num_segments=2):
    return models.TransformerEncoder(20, 1, 2, 8, 16, 9, num_segments=num_segments)


def answer(model):
    logits = model({"token_ids": TOKENS, "padding_mask": MASK})
    return ops.convert_to_numpy(logits)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("name", HEADS)
def test_a_quantised_head_is_read_back(tmp_path, name):
    model = HEADS[name](encoder())
    assert isinstance(model, EncoderHead)
    with quick_deletion():
        model.quantize("int8")
    expected = answer(model)

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)

    assert again.head.quantization_mode == "int8"
    np.testing.assert_allclose(answer(again), expected, atol=1e-6)


@pytest.mark.slow_elsewhere
def test_an_encoder_without_segments_gets_none():
    model = HEADS["span"](encoder(num_segments=1))
    given = {"token_ids": TOKENS, "segment_ids": np.ones_like(TOKENS)}

    logits = ops.convert_to_numpy(model(given))

    plain = ops.convert_to_numpy(model({"token_ids": TOKENS}))
    np.testing.assert_array_equal(logits, plain)


def test_segments_are_seen_where_there_are_some():
    model = HEADS["sequence"](encoder())
    given = {"token_ids": TOKENS, "segment_ids": np.ones_like(TOKENS)}

    logits = ops.convert_to_numpy(model(given))

    assert np.abs(logits - ops.convert_to_numpy(model({"token_ids": TOKENS}))).max() > 0


@pytest.mark.once
@pytest.mark.parametrize("name", HEADS)
def test_inputs_without_token_ids_or_with_others_are_refused(name):
    model = HEADS[name](encoder())
    for inputs, match in [
        (TOKENS, 'a dictionary with "token_ids"'),
        ({"ids": TOKENS}, r'a dictionary with "token_ids". Received: \[.ids.\]'),
        ({"token_ids": TOKENS, "mask": MASK}, r"keys among .* Received: \['mask'\]"),
    ]:
        with pytest.raises(ValueError, match=match):
            model(inputs)
    if "segment_ids" not in model.INPUTS:
        with pytest.raises(ValueError, match=r"Received: \['segment_ids'\]"):
            model({"token_ids": TOKENS, "segment_ids": TOKENS})


class Nameless(keras.Model):
    """An encoder that knows its own width and no more."""

    hidden_dim, num_segments, pool = 8, 2, None


@pytest.mark.once
@pytest.mark.parametrize("name", HEADS)
def test_an_encoder_must_say_all_that_pipelines_ask(name):
    model = Nameless()
    for missing in ("vocabulary_size", "max_sequence_length"):
        with pytest.raises(TypeError, match=f"must be a model with .*`{missing}`"):
            HEADS[name](model)
        setattr(model, missing, 20)
