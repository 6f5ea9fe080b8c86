"""span_log_shares: by hand, windows, white space, and that they sum to 1."""

import itertools

import numpy as np
import pytest

from keras_lm.pipelines.span_log_shares import span_log_shares
from keras_lm.text.context_windows import ContextWindow, WindowedContext
from tests.checks import assert_close

pytestmark = pytest.mark.once
ONE = ContextWindow([0] * 4, [0] * 4, 2, 0, 2)


def context_of(num_tokens, windows, blank=()):
    offsets = np.stack([np.arange(num_tokens), np.arange(1, num_tokens + 1)], axis=1)
    offsets[list(blank), 1] -= 1
    return WindowedContext("x" * num_tokens, offsets, windows)


def test_a_case_done_by_hand():
    # None is e^(1 + 1). Token 0 is e^(3 + 2), 1 is e^(2 + 1), and both are e^(3 + 1).
    logits = [np.array([[1, 1], [9, 9], [3, 2], [2, 1], [9, 9]], "float32")]
    whole = 1 + np.exp(3) + np.exp(1) + np.exp(2)

    shares, none = span_log_shares(context_of(2, [ONE]), logits, 5)

    expected = np.array([[np.exp(3), np.exp(2)], [np.exp(1), 0.0]]) / whole
    assert_close(np.exp(shares), expected)
    assert np.exp(none) == pytest.approx(1 / whole)
    short, _ = span_log_shares(context_of(2, [ONE]), logits, 1)
    assert_close(np.exp(short)[:, 0], expected[:, 0] * whole / (whole - np.exp(2)))
    shares, none = span_log_shares(context_of(2, [ONE]), logits, 5, no_answer=False)
    assert_close(np.exp(shares), expected * whole / (whole - 1))
    assert none == -np.inf


def test_white_space_is_no_end_of_an_answer():
    logits = [np.zeros((6, 2), "float32")]
    window = ONE._replace(num_tokens=3)

    shares, _ = span_log_shares(context_of(3, [window], blank=[1]), logits, 3)

    spans = [[0, 0], [0, 2], [2, 0]]
    assert np.argwhere(shares > -np.inf).tolist() == spans


def test_windows_have_one_scale_and_a_span_counts_once():
    # Windows 0-2 and 2-4 of five tokens share token 2; all logits of the second are
    # 50 higher, which says nothing.
    windows = [ONE._replace(num_tokens=3), ONE._replace(place=2, num_tokens=3)]
    numbers = np.random.default_rng(3).normal(size=(2, 6, 2))
    shifted = numbers + [[[0.0]], [[50.0]]]

    shares, none = span_log_shares(context_of(5, windows), list(numbers), 2)
    others, _ = span_log_shares(context_of(5, windows), list(shifted), 2)

    assert_close(np.exp(others), np.exp(shares))
    assert np.exp(shares).sum() + np.exp(none) == pytest.approx(1)
    found = {(i, i + k): shares[i, k] - none for i, k in np.argwhere(shares > -np.inf)}
    expected = {}
    for window, row in zip(windows, numbers, strict=True):
        for i, j in itertools.product(range(3), range(3)):
            if 0 <= j - i < 2:
                odds = row[2 + i, 0] + row[2 + j, 1] - row[0].sum()
                place = window.place + i, window.place + j
                expected[place] = max(odds, expected.get(place, -np.inf))
    assert found == pytest.approx(expected)


def test_what_is_very_unlikely_keeps_its_order():
    logits = [np.array([[900, 900], [0, 0], [3, 2], [2, 1], [0, 0]], "float32")]

    shares, none = span_log_shares(context_of(2, [ONE]), logits, 1)

    assert np.exp(none) == 1 and np.exp(shares).max() == 0
    assert shares[0, 0] - shares[1, 0] == pytest.approx(2)
