"""distinct_n: cases done by hand, Chinese by characters, bounds, errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.training import distinct_n
from tests.text.samples import BYTES, TEXTS

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("texts", "one", "two"),
    [
        # a b a b: 2 words and 2 pairs of 4 tokens; pairs end with their text.
        (["a b a b"], 2 / 4, 2 / 4),
        (["a b", "A  B"], 2 / 4, 1 / 4),
        (["a", "b"], 2 / 2, 0 / 2),
        (["I don't.", "I don\u2019t know!"], 6 / 7, 5 / 7),
        (["我喜欢猫", "我喜欢狗"], 5 / 8, 4 / 8),
        (["the 猫sat", "ねこ sat"], 5 / 6, 4 / 6),
        (["ที่นี่ที่"], 2 / 3, 2 / 3),
        (["🙂🙂 🙂", b"\xff \xff"], 2 / 5, 2 / 5),
        (["e\u0301t\u0301", "\u00e9t\u0301"], 1 / 2, 0 / 2),
        # Marks are no words' ends: Hindi, Turkish, Arabic, Yoruba, Persian's joiner.
        (["नमस्ते"], 1 / 1, 0 / 1),
        (["İstanbul", "i\u0307stanbul"], 1 / 2, 0 / 2),
        (["مُحَمَّد محمد"], 2 / 2, 1 / 2),
        (["ọ\u0300rọ\u0300 ọ\u0300rọ\u0300"], 1 / 2, 1 / 2),
        (["می\u200cخواهم"], 1 / 1, 0 / 1),
        (["क\u094d\u200dष"], 1 / 1, 0 / 1),
        # f f t t d c 1 h: a family, a thumb, two flags, a key, a heart.
        (["👩\u200d👧👩\u200d👧 👍🏽👍🏽🇩🇪🇨🇳1\ufe0f\u20e3❤\ufe0f"], 6 / 8, 7 / 8),
        (["👩\u200d家 \u0301"], 3 / 3, 2 / 3),
        (["🏴\U000e0067\U000e007f🏴"], 2 / 2, 1 / 2),
        ([], 0.0, 0.0),
        (["", " \n"], 0.0, 0.0),
    ],
)
def test_a_case_done_by_hand(texts, one, two):
    assert distinct_n(texts, 1) == pytest.approx(one)
    assert distinct_n(texts, 2) == pytest.approx(two)


@given(st.lists(TEXTS | BYTES, max_size=4), st.integers(1, 4))
def test_what_is_said_twice_is_worth_half(texts, n):
    value = distinct_n(texts, n)

    assert 0 <= value <= 1
    assert distinct_n(texts * 2, n) == pytest.approx(value / 2)
    assert distinct_n(texts, n + 1) <= 1 >= distinct_n(reversed(texts), n) == value


def test_what_is_refused():
    with pytest.raises(
        TypeError, match="`texts` must be a list of texts. Received: 'a"
    ):
        distinct_n("a b", 1)
    with pytest.raises(TypeError, match="a text must be str or bytes. Received: 3"):
        distinct_n(["a", 3], 1)
    with pytest.raises(TypeError, match="`texts` must be a list of .* Received: None"):
        distinct_n(None, 1)
    for n in (0, 1.5, "1"):
        with pytest.raises(ValueError, match=f"`n` must be an int, at le.* n={n!r}"):
            distinct_n(["a"], n)
