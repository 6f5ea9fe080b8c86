"""The script that checks exports of a text classifier, and that it can say no."""

import numpy as np
import pytest

from keras_lm.export import export_litert, process, run_check
from keras_lm.export.check_text_classifier import _compare
from keras_lm.export.text_classifier_kind import CHECKER, reference
from tests.export.test_text_classifier_kind import make_text_classifier

pytestmark = pytest.mark.once


@pytest.mark.slow
def test_it_says_how_far_a_file_is(tmp_path):
    classifier = make_text_classifier()
    report = export_litert(classifier, tmp_path / "c.tflite")
    expected = reference(classifier, tmp_path)
    row = expected["logits"][1]
    row[row.index(max(row))] -= 7.0  # now another label is the model's

    found = process.run_checker(
        {**expected, "litert": str(report.path)}, tmp_path, CHECKER
    )["litert"]

    assert found["largest_difference"] == pytest.approx(7.0, abs=1e-4)
    assert found["furthest"] == expected["texts"][1]
    assert not found["agrees"]
    assert not found["equal"][1]
    assert found["size_bytes"] == report.size_bytes


def test_labels_and_the_second_answer_of_the_first_text():
    job = {"labels": ["a", "b"], "texts": [["x"], ["y"]]}
    job["logits"] = [[2.0, 1.0], [0.0, 0.0]]
    numbers = np.array([[0.7, 0.3], [0.5, 0.5], [0.7, 0.3]])
    wrong = numbers + [[0, 0], [0, 0], [0.2, 0]]

    def compare(named, found):
        return _compare(named, found, numbers, job, run_check)

    same = compare(["a", "b", "a"], numbers)  # of two alike, either
    other = compare(["a", "a", "b"], wrong)

    assert same["agrees"]
    assert same["largest_difference"] == 0
    assert other["equal"] == [True, True, False]
    assert other["greedy_agreement"] == pytest.approx(2 / 3)
    assert other["largest_difference"] == pytest.approx(0.2)
    assert other["furthest"] == ["x"]
    nothing = compare(["a", "b", "a"], numbers * np.nan)
    assert not nothing["finite"]
