"""list_of_texts, lists_of_texts: lists, and strings that are taken for them."""

import pytest

from keras_lm.text.list_of_texts import list_of_texts, lists_of_texts

pytestmark = pytest.mark.once


def test_lists_come_back():
    assert list_of_texts(iter(["中", b"\xff", ""])) == ["中", b"\xff", ""]
    assert list_of_texts(()) == []
    assert lists_of_texts((("a", "🙂"), iter([])), "glosses") == [["a", "🙂"], []]


@pytest.mark.parametrize("text", ["", "中文", b"\xff", {"文": ["a"]}, None, 3])
def test_strings_and_dictionaries_are_no_lists(text):
    with pytest.raises(TypeError, match="`texts` must be a list of texts. Received: "):
        list_of_texts(text)
    with pytest.raises(TypeError, match="`glosses` must be lists of texts, in a list"):
        lists_of_texts(text, "glosses")
    with pytest.raises(TypeError, match=r"`glosses\[1\]` must be a list of texts. Rec"):
        lists_of_texts([["a"], text], "glosses")
