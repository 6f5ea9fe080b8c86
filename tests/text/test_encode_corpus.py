"""encode_corpus: one row, a separator around each text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import encode_corpus
from tests.text.samples import TEXTS, TOKENIZER, gpt2_tokenizer, llama_tokenizer

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    # Bytes b are ids 3 + b outside the vocabulary; 1 separates.
    token_ids = encode_corpus(["ÿ", "", b"\xc3\xbf"], TOKENIZER)

    assert token_ids.dtype == np.int32
    assert token_ids.tolist() == [1, 198, 194, 1, 198, 194, 1]


@given(st.lists(TEXTS, min_size=1, max_size=5).filter(any))
def test_the_texts_can_be_read_between_the_separators(texts):
    token_ids = encode_corpus(texts, TOKENIZER)

    ends = np.flatnonzero(token_ids == TOKENIZER.separator_id)
    rows = np.split(token_ids, ends)[1:-1]  # each begins with its separator
    assert TOKENIZER.decode([row[1:] for row in rows]) == [t for t in texts if t]
    assert (ends[0], ends[-1]) == (0, len(token_ids) - 1)


@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_empty_texts_are_refused(texts):
    with pytest.raises(ValueError, match=f"Received: {len(texts)} empty text"):
        encode_corpus(texts, TOKENIZER)


def test_one_string_is_refused():
    for strange in ("one text", {"one": 1}, None):
        with pytest.raises(TypeError, match="`texts` must be a list of texts"):
            encode_corpus(strange, TOKENIZER)


def test_a_pretrained_decoder_learns_what_its_generator_shows_it():
    gpt2, llama = gpt2_tokenizer(), llama_tokenizer()
    a = llama.pieces().index("▁a")
    (b,) = gpt2.encode("b")
    end = gpt2.separator_id

    assert encode_corpus(["b", "", "b"], gpt2).tolist() == [end, b, end, b, end]
    assert encode_corpus(["a", "", "a"], llama).tolist() == [2, 1, a, 2, 1, a, 2]
    with pytest.raises(ValueError, match="Received: 1 empty text"):
        encode_corpus([""], llama)
