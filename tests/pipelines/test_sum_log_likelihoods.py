"""sum_log_likelihoods: by hand."""

import numpy as np

from keras_lm.pipelines.sum_log_likelihoods import sum_log_likelihoods
from tests.checks import assert_close


def test_a_case_done_by_hand():
    # Softmax of 0 and ln 3 is 1/4 and 3/4, and adding to both changes nothing.
    logits = np.array([[[0, np.log(3)], [5, 5], [9, 9 + np.log(3)]]] * 2, "float32")
    labels = np.array([[0, 1, 1], [0, 0, 0]])
    counted = np.array([[True, False, True], [False] * 3])

    found = sum_log_likelihoods(logits, labels, counted)

    assert_close(found, [np.log(1 / 4 * 3 / 4), 0.0])
