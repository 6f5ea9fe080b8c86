"""ContextStreamDecoder: whole characters and spaces, whatever stands before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text.context_stream_decoder import ContextStreamDecoder
from tests.checks import examples
from tests.text.samples import gpt2_tokenizer, llama_tokenizer

pytestmark = pytest.mark.once
GPT2, LLAMA = gpt2_tokenizer(), llama_tokenizer()
# "▁" is a space to a tokenizer that writes one so.
TEXTS = st.text(st.sampled_from("ab 中é🙂\n\0") | st.characters(codec="utf-8"))
TEXTS = TEXTS.filter(lambda text: not {"\ufffd", "▁"} & {*text})


def pieces_of(tokenizer, token_ids, before=()):
    decoder = tokenizer.stream_decoder(before)
    return [*map(decoder.push, token_ids), decoder.flush()]


@pytest.mark.parametrize("tokenizer", [GPT2, LLAMA], ids=["gpt2", "llama"])
@given(TEXTS, TEXTS)
@examples(60)
def test_a_text_comes_whole_in_whole_characters(tokenizer, before, text):
    *start, end = tokenizer.encode_parts([before, before + text])
    start, token_ids = start[0], end[len(start[0]) :]
    if end[: len(start)] != start:  # a token is of both
        start, token_ids = [], end

    pieces = pieces_of(tokenizer, token_ids, start)

    # The text is nothing to SentencePiece but the space that it adds.
    assert "".join(pieces) == (text if start or not before else before + text)
    assert not any("\ufffd" in piece for piece in pieces)


def test_a_word_has_its_space_unless_it_is_the_first():
    a, b = (LLAMA.pieces().index(piece) for piece in ("▁a", "▁b"))

    assert pieces_of(LLAMA, [a, b], [1, a]) == [" a", " b", ""]
    assert pieces_of(LLAMA, [a, b], [1]) == ["a", " b", ""]
    # Also where a special token, which says nothing, is between.
    assert pieces_of(LLAMA, [2, b, 2, a], [1, a]) == ["", " b", "", " a", ""]


@pytest.mark.parametrize("tokenizer", [GPT2, LLAMA], ids=["gpt2", "llama"])
def test_half_a_character_waits_and_comes_out_broken(tokenizer):
    a, snow = (row[-3:] for row in tokenizer.encode_parts(["a", "☃"]))
    a, (*snow, last) = a[-1], snow

    assert pieces_of(tokenizer, [*snow, last], [a]) == ["", "", "☃", ""]
    *held, rest = pieces_of(tokenizer, snow, [a])
    assert held == ["", ""] and {*rest} == {"\ufffd"}
    *held, piece, rest = pieces_of(tokenizer, [*snow, a], [a])
    assert held == ["", ""] and piece.strip("\ufffd ") == "a" and rest == ""


def test_only_what_is_needed_is_decoded_again():
    asked = []

    class Tokenizer:
        def decode(self, token_ids):
            asked.append(len(token_ids))
            return "x" * len(token_ids)

    decoder = ContextStreamDecoder(Tokenizer(), range(9))

    assert [decoder.push(token_id) for token_id in range(50)] == ["x"] * 50
    assert max(asked[3:]) == 2
