"""graph_offsets: by hand, and as Python trims and counts."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_lm.text.graph_offsets import (
    characters_of,
    is_blank,
    offsets_in_characters,
    trim_offsets,
)
from keras_lm.text.token_offsets import trim_offsets as trim_in_python

pytestmark = pytest.mark.once


def ragged(rows):
    return tf.ragged.constant(rows, tf.int32, ragged_rank=1)


def test_characters_are_those_of_valid_text():
    text, characters = characters_of(tf.constant(["a中", b"\xff\xe4", ""]))

    assert [one.decode() for one in text.numpy()] == ["a中", "\ufffd\ufffd", ""]
    found = [[one.decode() for one in row] for row in characters.to_list()]
    assert found == [["a", "中"], ["\ufffd"] * 2, []]


def test_white_space_is_pythons():
    every = [chr(n) for n in range(sys.maxunicode + 1) if not 0xD800 <= n < 0xE000]

    found = is_blank(tf.constant(every)).numpy()

    assert found.tolist() == [one.isspace() for one in every]
    assert is_blank(tf.constant(["", " \n\u3000", " a"])).numpy().tolist() == [
        True,
        True,
        False,
    ]


def test_offsets_by_hand():
    # The second character became nothing, the third two bytes that are two tokens.
    widths = ragged([[1, 0, 2, 1, 0], [], [3]])
    before, behind = ragged([[0, 1, 2], [], [0]]), ragged([[1, 2, 4], [], [3]])

    starts, ends = offsets_in_characters(widths, before, behind)

    assert starts.to_list() == [[0, 2, 2], [], [0]]
    assert ends.to_list() == [[1, 3, 4], [], [1]]
    nothing = ragged(np.zeros((0, 0)).tolist())
    assert offsets_in_characters(nothing, nothing, nothing)[0].shape[0] == 0


def test_white_space_is_trimmed_as_in_python():
    texts = ["\u3000a b\n c", "  ", "", "x\u2028y"]
    offsets = [[[0, 2], [2, 5], [4, 6], [5, 7], [0, 7]], [[0, 2]], [], [[0, 2], [2, 3]]]
    starts, ends = (ragged([[o[n] for o in row] for row in offsets]) for n in (0, 1))

    found = trim_offsets(characters_of(tf.constant(texts))[1], starts, ends)

    for text, row, first, last in zip(texts, offsets, *(f.to_list() for f in found)):
        expected = trim_in_python(text, np.array(row, "int64").reshape(-1, 2))
        assert list(zip(first, last, strict=True)) == [tuple(one) for one in expected]
