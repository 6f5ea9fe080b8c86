"""split_sentences: by hand, nothing lost, nothing empty."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keras_lm.text import split_sentences
from tests.text.samples import TEXTS

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One two. 3.5 is x.y! Is it?", ["One two.", " 3.5 is x.y!", " Is it?"]),
        ('He said "no." Then...\nshe', ['He said "no."', " Then...", "\nshe"]),
        ("一。二！三", ["一。", "二！", "三"]),
        (
            "A line\nand more\n\n\n\tAn end \n",
            ["A line\nand more\n", "\n\n\tAn end \n"],
        ),
        ("🙂. 🙂", ["🙂.", " 🙂"]),
        ("no end", ["no end"]),
        (" \n\n ", [" \n\n "]),
        ("", []),
        (b"a. \xff", ["a.", " \ufffd"]),
    ],
)
def test_cases_done_by_hand(text, sentences):
    assert split_sentences(text) == sentences


@given(st.lists(TEXTS | st.sampled_from([". ", "。", "\n\n", "! "])).map("".join))
@example(". . 。")
def test_nothing_is_lost_and_none_is_empty(text):
    sentences = split_sentences(text)

    assert "".join(sentences) == text
    assert all(sentence.strip() for sentence in sentences) or len(sentences) == 1


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        split_sentences(3)
