"""Replacing unknown words: by hand, and what is refused."""

import numpy as np
import pytest

from keras_lm.generation import beam_search, replace_unknown
from tests.fakes import TableModel

ATTENTION = np.array([[0.2, 0.7, 0.1], [0.5, 0.0, 0.5], [0.1, 0.2, 0.7]])


@pytest.mark.once
def test_words_and_ids_by_hand():
    words = replace_unknown(["a", "?", "?"], ATTENTION, ["x", "y", "z"], "?")
    ids = replace_unknown(np.array([3, 1, 1]), ATTENTION, [7, 8, 9], 1)

    assert words == ["a", "x", "z"]  # of equal ones the first
    assert ids == [3, 7, 9]


@pytest.mark.once
def test_columns_behind_the_source_are_padding():
    assert replace_unknown([1, 0, 1], ATTENTION, [7, 8], 1) == [8, 0, 8]


def test_with_the_attention_of_a_hypothesis():
    model, sources = TableModel(4, has_source=True), [[3, 1, 2], [2]]
    found = beam_search(model, sources, 1, 2, 6, [0], return_attention=True)

    for row, source in enumerate(sources):
        text = found.token_ids[row, 0].tolist()
        known = replace_unknown(text, found.attention[row, 0], source, 3)
        for place, token in enumerate(text):
            if token == 3:
                looks = model.attention([1, *text[:place]], source)
                assert known[place] == source[np.argmax(looks)]
            else:
                assert known[place] == token


@pytest.mark.once
@pytest.mark.parametrize(
    ("tokens", "source"), [([1, 2], [5]), ([1, 2, 3], [5] * 4), ([1, 2, 3], [])]
)
def test_what_does_not_fit_is_refused(tokens, source):
    with pytest.raises(ValueError, match="must have a row for each token and a column"):
        replace_unknown(tokens, ATTENTION, source, 1)
