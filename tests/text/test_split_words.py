"""split_words: where words and characters stand, white space, lists, errors."""

import hypothesis
import pytest

from keras_lm.text import split_words
from tests.text.samples import TEXTS

pytestmark = pytest.mark.once


def texts_of(words):
    return [word.text for word in words]


def test_cases_done_by_hand():
    assert split_words(" a\t\tmat\u3000🙂 ") == [
        ("a", 1, 2),
        ("mat", 4, 7),
        ("🙂", 8, 9),
    ]
    assert split_words("中 文👩‍👧", "characters") == [
        *[("中", 0, 1), ("文", 2, 3), ("👩", 3, 4), ("\u200d", 4, 5), ("👧", 5, 6)]
    ]
    assert split_words(["New York", "", "🙂"]) == [
        *[("New York", 0, 8), ("", 9, 9), ("🙂", 10, 11)]
    ]
    assert split_words(("中", "文"), "characters") == [("中", 0, 1), ("文", 1, 2)]
    assert split_words(b"a\xff\xff b") == [("a\ufffd\ufffd", 0, 3), ("b", 4, 5)]
    assert split_words("") == split_words([]) == split_words(" \n", "characters") == []


@hypothesis.given(TEXTS)
def test_words_are_those_of_split_and_stand_where_they_say(text):
    words, characters = split_words(text), split_words(text, "characters")

    assert texts_of(words) == text.split()
    assert texts_of(characters) == [one for one in text if not one.isspace()]
    for word in words + characters:
        assert text[word.start : word.end] == word.text


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`split` must be one of.*Received: split='l"):
        split_words("a", "letters")
    for text in (3, None, ["a", 3]):
        with pytest.raises(TypeError, match="a text must be str or bytes"):
            split_words(text)
