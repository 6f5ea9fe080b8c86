"""check_labels: a name for each class, or an error that says what came."""

import pytest

from keras_lm.pipelines.check_labels import check_labels

pytestmark = pytest.mark.once


def test_a_name_for_each_class_is_fine():
    check_labels(["cat", "猫", ""], 3)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (["a", "b"], ValueError, "a label for each of the model's 3 classes.*2 labels"),
        (["a", "b", "a"], ValueError, r"No two labels may be alike.*\['a'\] twice"),
        ("abc", TypeError, "`labels` must be a list of strings"),
        (None, TypeError, "`labels` must be a list of strings. Received: labels=None"),
        ({"a", "b", "c"}, TypeError, "`labels` must be a list of strings"),
        ({"a": 0, "b": 1, "c": 2}, TypeError, "`labels` must be a list of strings"),
        (iter("abc"), TypeError, "`labels` must be a list of strings"),
        ([0, 1, 2], TypeError, "`labels` must be a list of strings"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        check_labels(labels, 3)
