"""Valid Unicode from anything, and the escape of U+2581."""

import pytest
from hypothesis import given

from keras_lm.text.unicode import as_unicode, escape, unescape
from tests.text.samples import BYTES, HARD_TEXTS, TEXTS

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    assert escape("a▁b\x1b1") == "a\x1b1b\x1b01"
    assert unescape("a\x1b1b\x1b01\x1b") == "a▁b\x1b1\x1b"


@given(TEXTS)
def test_unescape_gives_back_what_was_escaped(text):
    assert "▁" not in escape(text)
    assert unescape(escape(text)) == text


@given(BYTES)
def test_bytes_become_what_python_replaces(data):
    assert as_unicode(data) == data.decode("utf-8", "replace")


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_valid_text_stays(text):
    assert as_unicode(text) == text
    assert as_unicode(text.encode("utf-8")) == text


def test_a_lone_surrogate_is_three_invalid_bytes():
    assert as_unicode("a\ud800b") == "a\ufffd\ufffd\ufffdb"


def test_numbers_are_refused():
    with pytest.raises(TypeError, match="a text must be str or bytes. Received: 7"):
        as_unicode(7)
