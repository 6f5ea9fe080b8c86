"""SimilarityError: by hand, what weighs and what does not, saved."""

import numpy as np

from keras_lm.training import SimilarityError
from tests.checks import assert_close


def test_a_case_done_by_hand():
    similarities = np.array([[0.5, 9.0, 0.0], [9.0, -1.0, 9.0]])
    cosines = np.array([[0.9, 0.0, 0.0], [0.0, 0.0, 0.0]])
    weights = np.array([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0]])

    loss = SimilarityError()(similarities, cosines, weights)

    assert_close(loss, (0.4**2 + 3 * 1.0) / 4)
    assert_close(SimilarityError()(similarities, cosines, 0 * weights), 0.0)
    some = SimilarityError()(similarities[:, :1], cosines[:, :1])
    assert_close(some, (0.4**2 + 81) / 2)


def test_its_configuration_gives_it_back():
    loss = SimilarityError(name="graded")

    assert SimilarityError.from_config(loss.get_config()).name == "graded"
