"""check_decoder: what does not fit is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_lm.pipelines.check_decoder import check_decoder
from keras_lm.text import HuggingFaceTokenizer

pytestmark = pytest.mark.once
NINE, EIGHT = (SimpleNamespace(vocabulary_size=n) for n in (9, 8))


def test_what_does_not_fit_is_refused():
    check_decoder(NINE, NINE, 1)
    check_decoder(NINE, NINE, np.int64(1))
    with pytest.raises(ValueError, match="vocabularies of one size. Received: 9 and 8"):
        check_decoder(NINE, EIGHT, 1)
    for number in (0, -1, "9", 1.0):
        with pytest.raises(ValueError, match="`max_new_tokens` must be an int, at le"):
            check_decoder(NINE, NINE, number)


def pretrained(*pieces):
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    return HuggingFaceTokenizer(json.dumps({"version": "1.0", "model": model}))


def test_a_pretrained_tokenizer_may_have_fewer_tokens():
    check_decoder(NINE, pretrained(*"abcdefgh", "</s>"))
    check_decoder(NINE, pretrained("a", "<|endoftext|>"))
    with pytest.raises(
        ValueError, match="no more tokens than the .* Received: 10 and 9"
    ):
        check_decoder(NINE, pretrained(*"abcdefghi", "</s>"))


def test_a_tokenizer_that_ends_no_text_is_refused():
    with pytest.raises(
        ValueError, match="must have a token that ends a text, of .*end"
    ):
        check_decoder(NINE, pretrained("a", "b"))
