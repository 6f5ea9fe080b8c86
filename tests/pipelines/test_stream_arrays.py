"""stream_arrays: what is missing, what is a text, and what is refused."""

import numpy as np
import pytest
from keras import ops

from keras_lm.models import MultimodalClassifier
from keras_lm.pipelines.stream_arrays import padded_token_ids, stream_arrays
from tests.text.samples import TOKENIZER

STREAMS = {
    "photo": {"kind": "image", "shape": [4, 2, 1], "patch_size": 2},
    "title": {
        "kind": "text",
        "vocabulary_size": TOKENIZER.vocabulary_size,
        "max_length": 5,
    },
}
MODEL = MultimodalClassifier(STREAMS, 3, 1, 1, 4, 6)
PHOTO = np.arange(8.0).reshape(4, 2, 1)


def test_a_case_done_by_hand():
    inputs = {"photo": [None, PHOTO], "title": [[7, 9], []]}

    arrays = stream_arrays(inputs, MODEL)

    assert sorted(arrays) == ["photo", "photo_present"] + [
        f"title{end}" for end in ("", "_mask", "_present")
    ]
    assert arrays["photo"].tolist() == [np.zeros((4, 2, 1)).tolist(), PHOTO.tolist()]
    assert arrays["photo_present"].tolist() == [False, True]
    assert arrays["title"].tolist() == [[7, 9, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert arrays["title_mask"].tolist() == [[True] * 2 + [False] * 3, [False] * 5]
    assert arrays["title_present"].tolist() == [True, True]
    assert {k: str(a.dtype) for k, a in arrays.items()} == {
        "photo": "float32",
        "photo_present": "bool",
        "title": "int32",
        "title_mask": "bool",
        "title_present": "bool",
    }


@pytest.mark.parametrize("inputs", [{}, {"title": None}])
def test_a_stream_that_is_missing_from_the_batch_is_present_in_no_example(inputs):
    arrays = stream_arrays({"photo": np.stack([PHOTO] * 3), **inputs}, MODEL)

    assert arrays["title_present"].tolist() == [False] * 3
    assert not arrays["title_mask"].any()


def test_texts_are_encoded():
    texts = ["of a", b"\xff", None]

    token_ids = padded_token_ids("title", texts, 5, TOKENIZER)

    for row, text in zip(token_ids.tolist(), ["of a", "\ufffd", ""]):
        expected = TOKENIZER.encode(text)
        assert row == expected + [-1] * (5 - len(expected))


def test_arrays_of_any_kind_are_taken():
    whole = stream_arrays({"photo": np.stack([PHOTO] * 2)}, MODEL)["photo"]
    tensor = ops.convert_to_tensor(np.stack([PHOTO] * 2).astype("float32"))
    for photos in (tensor, [PHOTO.astype("uint8")] * 2, [tensor[0], tensor[1]]):
        assert np.array_equal(stream_arrays({"photo": photos}, MODEL)["photo"], whole)
    texts = np.array(["of a", "area"])
    arrays = stream_arrays({"title": texts}, MODEL, TOKENIZER)
    assert arrays["title_mask"].any(axis=1).all()


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({}, ValueError, "At least one of the streams .* must be given"),
        ({"photo": None}, ValueError, "At least one of the streams"),
        (
            {"video": [1]},
            ValueError,
            r"A stream must be one of .*Received: \['video'\]",
        ),
        ({"photo_present": [True]}, ValueError, "A stream must be one of"),
        (
            {"photo": [PHOTO], "title": ["a", "b"]},
            ValueError,
            "All streams must have as many examples.*'photo': 1, 'title': 2",
        ),
        ({"photo": [PHOTO[:3]]}, ValueError, r"'photo' must have shape \(4, 2, 1\)"),
        ({"photo": PHOTO}, ValueError, r"'photo' must have shape \(4, 2, 1\)"),
        ({"title": "area"}, TypeError, "'title' must be a list of texts"),
        ({"title": ["\0" * 6]}, ValueError, "'title' must have at most 5 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(inputs, error, message):
    with pytest.raises(error, match=message):
        stream_arrays(inputs, MODEL, TOKENIZER)


@pytest.mark.parametrize("text", ["area", [[1, 2]], [0.5]])
def test_without_a_tokenizer_a_string_is_refused(text):
    with pytest.raises(ValueError, match="must be a list of token ids"):
        stream_arrays({"title": [text]}, MODEL)
