"""StreamDecoder: the whole text, in pieces that are never half a character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import StreamDecoder
from tests.text.samples import TEXTS, TOKEN_IDS, TOKENIZER

pytestmark = pytest.mark.once


def pieces_of(token_ids):
    decoder = StreamDecoder(TOKENIZER)
    return [*map(decoder.push, token_ids), decoder.flush()]


def byte_ids(text):
    return [3 + byte for byte in text.encode("utf-8")]


def test_a_case_done_by_hand():
    # The three bytes of a snowman; ESC 1, which is U+2581; half of a snowman.
    assert pieces_of(byte_ids("☃")) == ["", "", "☃", ""]
    assert pieces_of(byte_ids("\x1b1")) == ["", "▁", ""]
    assert pieces_of(byte_ids("☃")[:2]) == ["", "", "\ufffd"]
    assert pieces_of(byte_ids("\x1b")) == ["", "\x1b"]


@given(TOKEN_IDS)
def test_the_pieces_are_the_whole(token_ids):
    assert "".join(pieces_of(token_ids)) == TOKENIZER.decode(token_ids)


@given(TEXTS.filter(lambda text: "\ufffd" not in text))
def test_no_piece_of_a_text_is_half_a_character(text):
    pieces = pieces_of(TOKENIZER.encode(text))

    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


@given(st.lists(TEXTS, min_size=2, max_size=2))
def test_flush_starts_anew(texts):
    decoder = TOKENIZER.stream_decoder()
    for text in texts:
        token_ids = TOKENIZER.encode(text)
        assert "".join(map(decoder.push, token_ids)) + decoder.flush() == text


def test_an_id_out_of_range_is_refused():
    size = TOKENIZER.vocabulary_size
    with pytest.raises(ValueError, match=f"at least 0 and below {size}. Received: -1"):
        TOKENIZER.stream_decoder().push(-1)
