"""match_characters: what stands on a character is found with it."""

import re

import pytest

from keras_lm.training.match_characters import match_characters

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"\w+", "", []),
        (r"\w+", "Cafe\u0301 कि\u200dक", ["caf\u00e9", "कि\u200dक"]),
        (r"\w", "ที่นี่", ["ที่", "นี่"]),
        (r"\w", "\u0301a \u0301b", ["a", "b"]),  # nothing to stand on
        (r"\S", "🇩🇪🇨🇳👍🏽", ["🇩🇪", "🇨🇳", "👍🏽"]),
        (r"\S", "👩\u200d👧家", ["👩\u200d👧", "家"]),
        (r"[aé]", "a\u0301 é a e", ["é", "a"]),  # á is another letter
    ],
)
def test_matches_are_whole(pattern, text, found):
    assert match_characters(re.compile(pattern), text) == found
