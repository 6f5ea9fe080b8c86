"""token_offsets: by hand, and every span there and back, in any Unicode."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text.token_offsets import (
    byte_token_offsets,
    covering_tokens,
    trim_offsets,
)
from tests.checks import examples
from tests.text.samples import TEXTS, TOKENIZER

pytestmark = pytest.mark.once


def test_bytes_by_hand():
    # ESC and U+2581 are two bytes as they are escaped; the emoji is four.
    found = byte_token_offsets("\x1b▁é🙂", [1, 3, 1, 2, 3])

    assert found.tolist() == [[0, 1], [0, 2], [2, 3], [2, 4], [3, 4]]
    assert byte_token_offsets("", []).shape == (0, 2)


def test_white_space_at_the_ends_is_left_out():
    text = "\u3000a b\n c"
    offsets = np.array([[0, 2], [2, 5], [4, 6], [5, 7], [0, 7]])

    found = trim_offsets(text, offsets)

    assert found.tolist() == [[1, 2], [3, 4], [4, 4], [6, 7], [1, 7]]
    assert trim_offsets("  ", np.array([[0, 2]])).tolist() == [[0, 0]]
    assert trim_offsets("", np.zeros((0, 2))).shape == (0, 2)


def test_the_fewest_tokens_by_hand():
    offsets = np.array([[0, 2], [2, 2], [2, 3], [2, 3], [5, 7]])

    assert covering_tokens(offsets, 2, 3) == (2, 3)
    assert covering_tokens(offsets, 1, 6) == (0, 4)
    assert covering_tokens(offsets, 3, 5) is None
    assert covering_tokens(offsets, 4, 9) == (4, 4)


@given(TEXTS, st.data())
@examples(150)
def test_spans_go_there_and_back(text, data):
    check_spans(text, TOKENIZER.encode_with_offsets(text)[1], data)


def check_spans(text, offsets, data):
    """On the borders of tokens a span comes back; else it is in the fewest tokens."""
    solid = np.flatnonzero(offsets[:, 1] > offsets[:, 0])
    assert (offsets[:, 0] >= 0).all() and (offsets[:, 1] <= len(text)).all()
    if len(solid) == 0:
        assert covering_tokens(offsets, 0, len(text)) is None
        return
    some = st.integers(0, len(solid) - 1)
    i, j = sorted([data.draw(some), data.draw(some)])
    start, end = int(offsets[solid[i], 0]), int(offsets[solid[j], 1])
    first, last = covering_tokens(offsets, start, end)
    assert (offsets[first, 0], offsets[last, 1]) == (start, end)
    assert not text[start].isspace() and not text[end - 1].isspace()

    known = np.zeros(len(text), "bool")  # characters that are in a token
    for a, b in offsets[solid]:
        known[a:b] = True
    some = st.integers(0, len(text))
    start, end = sorted([data.draw(some), data.draw(some)])
    found = covering_tokens(offsets, start, end)
    if not known[start:end].any():
        assert found is None
        return
    first, last = found
    inside = np.zeros(len(text), "bool")
    inside[offsets[first, 0] : offsets[last, 1]] = True
    assert inside[start:end][known[start:end]].all()
    for token in found:  # neither could be left out
        a, b = offsets[token]
        assert max(a, start) < min(b, end)
    assert all(b <= start or a >= end for a, b in offsets[solid[solid < first]])
    assert all(b <= start or a >= end for a, b in offsets[solid[solid > last]])
