"""SpanCrossEntropy: by hand, weights, masked logits, saved."""

import numpy as np

from keras_lm.training import SpanCrossEntropy
from tests.checks import assert_close

# Chances of the start 1/2, 1/4, 1/4, of the end 1/8, 1/8, 3/4; then all alike.
LOGITS = np.log([[[4, 1], [2, 1], [2, 6]], [[5, 3], [5, 3], [5, 3]]]).astype("float32")


def test_a_case_done_by_hand():
    first = (np.log(4) + np.log(4 / 3)) / 2

    assert_close(SpanCrossEntropy()(np.array([[1, 2]]), LOGITS[:1]), first)
    whole = SpanCrossEntropy()(np.array([[1, 2], [0, 0]]), LOGITS)
    assert_close(whole, (first + np.log(3)) / 2)
    other = SpanCrossEntropy()(np.array([[0, 1]]), LOGITS[:1])
    assert_close(other, (np.log(2) + np.log(8)) / 2)


def test_a_row_of_no_weight_has_no_influence():
    weights = np.array([1.0, 0.0])
    losses = [
        SpanCrossEntropy()(np.array([[1, 2], span]), LOGITS * scale, weights)
        for span, scale in [([0, 0], [[[1]], [[1]]]), ([2, 1], [[[1]], [[9]]])]
    ]

    assert_close(losses[0], (np.log(4) + np.log(4 / 3)) / 2)
    assert_close(losses[1], losses[0])
    assert_close(SpanCrossEntropy()(np.array([[1, 2]]), LOGITS[:1], np.zeros(1)), 0.0)


def test_tokens_that_cannot_be_add_nothing():
    low = np.full((1, 2, 2), -1e9, "float32")
    longer = np.concatenate([LOGITS[:1], low], axis=1)

    loss = SpanCrossEntropy()(np.array([[1, 2]]), longer)

    assert_close(loss, (np.log(4) + np.log(4 / 3)) / 2)


def test_its_configuration_gives_it_back():
    loss = SpanCrossEntropy(name="spans")

    assert SpanCrossEntropy.from_config(loss.get_config()).name == "spans"
