"""What streams are said to be: signatures, embeddings, arrays, and what is refused."""

import numpy as np
import pytest

from keras_lm.layers import AudioEmbedding, PatchEmbedding, TokenEmbedding
from keras_lm.models.stream_spec import check_array, check_specs, embedding, signature

IMAGE = {"kind": "image", "shape": [6, 9, 2], "patch_size": 3}
AUDIO = {"kind": "audio", "num_samples": 500, "sampling_rate": 8000, "frame_step": 50}
TEXT = {"kind": "text", "vocabulary_size": 13, "max_length": 7}


def test_signatures():
    assert signature(IMAGE) == ((None, 6, 9, 2), "float32")
    assert signature(AUDIO) == ((None, 500), "float32")
    assert signature(TEXT) == ((None, 7), "int32")


def test_each_kind_has_its_embedding():
    image, audio, text = (embedding(s, 5, name="x") for s in (IMAGE, AUDIO, TEXT))
    assert isinstance(image, PatchEmbedding) and image.patch_size == 3
    assert isinstance(audio, AudioEmbedding) and audio.log_mel.frame_step == 50
    assert isinstance(text, TokenEmbedding) and text.max_length == 7
    assert {layer.hidden_dim for layer in (image, audio, text)} == {5}


def test_arrays_that_fit():
    check_array("photo", np.zeros((4, 6, 9, 2)), IMAGE)
    check_array("sound", np.zeros((4, 500)), AUDIO)
    for length in (1, 7):
        check_array("question", np.zeros((4, length)), TEXT)


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((4, 6, 9), IMAGE),
        ((4, 6, 8, 2), IMAGE),
        ((4, 499), AUDIO),
        ((4, 500, 1), AUDIO),
        ((4, 8), TEXT),
        ((4,), TEXT),
    ],
)
def test_arrays_that_do_not_fit(shape, spec):
    with pytest.raises(ValueError, match="The stream 'x' must have shape"):
        check_array("x", np.zeros(shape), spec)


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ({}, "`streams` must describe at least one stream"),
        ({"": IMAGE}, "A stream's name must not be empty or end in"),
        ({"a_mask": IMAGE}, "A stream's name must not be empty or end in"),
        ({"a_present": IMAGE}, "A stream's name must not be empty or end in"),
        ({"a": {**IMAGE, "kind": "smell"}}, "The kind of a stream must be one of"),
        ({"a": {"shape": [1, 1, 1]}}, "The kind of a stream must be one of"),
        ({"a": {**IMAGE, "colour": 3}}, "A stream of kind 'image' must have"),
        ({"a": {"kind": "text", "max_length": 3}}, "A stream of kind 'text' must have"),
        ({"a": {**IMAGE, "shape": [6, 9]}}, "The shape of an image must be"),
    ],
)
def test_bad_specs_are_refused(streams, message):
    with pytest.raises(ValueError, match=message):
        check_specs(streams)
