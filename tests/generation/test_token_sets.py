"""Sets of tokens: cases done by hand."""

import numpy as np
from keras import ops

from keras_lm.generation.token_sets import (
    exclude_others,
    most_likely,
    ngram_completions,
    tokens_in,
)
from tests.checks import assert_close

LOGITS = np.array([[1.0, 3.0, 2.0, 3.0, -4.0], [0.0, 0.0, 0.0, 0.0, 0.0]], "float32")


def test_exclude_others_keeps_the_kept_and_lowers_the_rest():
    keep = np.array([[True, False, True, False, False], [False] * 5])

    logits = ops.convert_to_numpy(exclude_others(LOGITS, keep))

    assert_close(logits[0, [0, 2]], [1.0, 2.0])
    assert (logits[0, [1, 3, 4]] < -1e8).all()
    assert np.isfinite(logits).all()
    assert_close(logits[1], LOGITS[1])  # nothing to keep: everything is kept


def test_exclude_others_raises_no_token():
    far_below = np.array([[0.0, -5e9, 1.0]], "float32")

    logits = exclude_others(far_below, np.array([[True, False, False]]))

    assert_close(logits, [[0.0, -5e9, -1e9]])


def test_most_likely_takes_the_first_of_equals():
    kept = ops.convert_to_numpy(most_likely(LOGITS, np.array([[3.0], [0.0]]), 1))

    assert kept.tolist() == [[False, True, False, False, False], [True] + [False] * 4]


def test_tokens_in_marks_the_chosen_slots_only():
    token_ids = np.array([[4, 2, 2], [0, 1, 3]], "int32")
    chosen = np.array([[True, False, False], [True, True, False]])

    marked = ops.convert_to_numpy(tokens_in(LOGITS, token_ids, chosen))

    assert marked.tolist() == [[False] * 4 + [True], [True, True] + [False] * 3]


def test_ngram_completions_skips_padding_between_tokens():
    # The text is 1 2 3 1 2: after "1 2" came 3. (9s are padding.)
    token_ids = np.array([[9, 1, 9, 2, 3, 1, 9, 2, 9]], "int32")
    logits = np.zeros((1, 10), "float32")

    marked = ngram_completions(logits, token_ids, token_ids != 9, n=3)

    assert np.flatnonzero(ops.convert_to_numpy(marked)).tolist() == [3]
