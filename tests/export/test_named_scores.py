"""Labels of every score; of any number of labels none is the one."""

import numpy as np
import pytest
import tensorflow as tf

from keras_lm.export.named_scores import named_scores
from tests.checks import assert_close

pytestmark = pytest.mark.once
LABELS = ["good", "坏", "🙂"]
LOGITS = np.log([[1.0, 2.0, 5.0], [0.5, 0.25, 0.25]]).astype("float32")


def test_cases_done_by_hand():
    one = named_scores(LABELS, tf.constant(LOGITS))
    several = named_scores(LABELS, tf.constant(LOGITS), multi_label=True)

    for answer in (one, several):
        rows = [[name.decode() for name in row] for row in answer["labels"].numpy()]
        assert rows == [LABELS] * 2
    assert [name.decode() for name in one["label"].numpy()] == ["🙂", "good"]
    assert_close(one["scores"], [[1 / 8, 2 / 8, 5 / 8], [1 / 2, 1 / 4, 1 / 4]])
    # x / (1 + x)
    assert_close(several["scores"], [[1 / 2, 2 / 3, 5 / 6], [1 / 3, 1 / 5, 1 / 5]])
    assert set(several) == {"labels", "scores"}


def test_nothing_and_one_label():
    answer = named_scores(LABELS, tf.zeros([0, 3]))
    assert answer["labels"].shape == (0, 3)
    answer = named_scores(["spam"], tf.zeros([2, 1]), multi_label=True)
    assert answer["labels"].numpy().tolist() == [[b"spam"]] * 2
