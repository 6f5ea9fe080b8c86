"""pad_rows: a case by hand, a given width, nothing."""

import pytest

from keras_lm.text.pad_rows import pad_rows

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    array, real = pad_rows([[7, 8, 0], [], [9]], padding=5)

    assert array.dtype == "int32"
    assert array.tolist() == [[7, 8, 0], [5, 5, 5], [9, 5, 5]]
    assert real.tolist() == [[True] * 3, [False] * 3, [True, False, False]]


def test_the_width_is_the_longest_or_what_is_said():
    assert pad_rows([[7]], 0, width=3)[0].tolist() == [[7, 0, 0]]
    assert pad_rows([], 0)[0].shape == (0, 1)
    assert pad_rows([[], []], 4)[0].tolist() == [[4], [4]]
