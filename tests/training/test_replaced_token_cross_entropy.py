"""ReplacedTokenCrossEntropy: by hand, what counts and what does not, saved."""

import numpy as np
from keras import ops

from keras_lm.training import ReplacedTokenCrossEntropy
from tests.checks import assert_close

ORIGINAL = np.array([[7, 8, 9]])


def detections(logits, shown):
    return np.stack([logits, shown], axis=-1).astype("float32")


def test_a_case_done_by_hand():
    # Chances of "replaced": 3/4, 1/2, 1/4. The first was replaced, the others not; the
    # last drew what was there: ln 4/3, ln 2, ln 4/3.
    shown = detections([[np.log(3), 0.0, -np.log(3)]], [[5, 8, 9]])

    loss = ReplacedTokenCrossEntropy()(ORIGINAL, shown)

    assert_close(loss, (2 * np.log(4 / 3) + np.log(2)) / 3)
    replaced = detections([[np.log(3), 0.0, -np.log(3)]], [[5, 8, 3]])
    expected = (np.log(4 / 3) + np.log(2) + np.log(4)) / 3
    assert_close(ReplacedTokenCrossEntropy()(ORIGINAL, replaced), expected)


def test_padding_has_no_influence():
    shown = detections([[np.log(3), 0.0, 50.0]], [[5, 8, 0]])
    weights = np.array([[1.0, 1.0, 0.0]])

    losses = [
        ReplacedTokenCrossEntropy()(np.array([[7, 8, last]]), shown, weights)
        for last in (0, 9)
    ]

    assert_close(ops.stack(losses), [(np.log(4 / 3) + np.log(2)) / 2] * 2)
    none = ReplacedTokenCrossEntropy()(ORIGINAL, shown, np.zeros((1, 3)))
    assert_close(none, 0.0)


def test_large_ids_and_large_logits():
    shown = detections([[-100.0, 100.0]], [[250_001, 250_002]])

    loss = ReplacedTokenCrossEntropy()(np.array([[250_001, 250_001]]), shown)

    assert_close(loss, 0.0)


def test_its_configuration_gives_it_back():
    loss = ReplacedTokenCrossEntropy(name="rtd")

    assert ReplacedTokenCrossEntropy.from_config(loss.get_config()).name == "rtd"
