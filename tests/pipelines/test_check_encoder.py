"""check_encoder: the length that is left, and what does not fit."""

from types import SimpleNamespace

import pytest

from keras_lm.pipelines.check_encoder import check_encoder, check_pairs
from tests.text.samples import TOKENIZER as TOKENIZER_OF_PIECES
from tests.text.samples import word_tokenizer

pytestmark = pytest.mark.once
ENCODER = SimpleNamespace(vocabulary_size=9, max_sequence_length=40)
TOKENIZER = SimpleNamespace(vocabulary_size=9)


def test_the_length_is_what_is_said_or_the_encoders():
    assert check_encoder(ENCODER, TOKENIZER, None) == 40
    assert check_encoder(ENCODER, TOKENIZER, 2) == 2


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="vocabularies of one size. Received: 9 and 8"):
        check_encoder(ENCODER, SimpleNamespace(vocabulary_size=8), None)
    for length, least in [(1, 2), (41, 2), (3, 4)]:
        with pytest.raises(ValueError, match=f"`max_length` must be from {least} to"):
            check_encoder(ENCODER, TOKENIZER, length, least)
    for length in (8.0, "8"):
        with pytest.raises(ValueError, match="`max_length` must be an int. Received: "):
            check_encoder(ENCODER, TOKENIZER, length)


def test_pairs_that_nothing_tells_apart_are_refused():
    words = word_tokenizer()  # nothing stands between two texts

    with pytest.raises(ValueError, match="must know two segments.*num_segments=1"):
        check_pairs(SimpleNamespace(num_segments=1), words)
    check_pairs(SimpleNamespace(num_segments=2), words)
    check_pairs(SimpleNamespace(num_segments=0), TOKENIZER_OF_PIECES)
