"""The script that checks exports of a text embedder, and that it can say no."""

import numpy as np
import pytest

from keras_lm.export import export_litert, process, run_check
from keras_lm.export.check_text_embedder import _compare
from keras_lm.export.text_embedder_kind import CHECKER, reference
from keras_lm.text import train_tokenizer
from tests.export.conftest import TEXTS
from tests.export.test_text_embedder_kind import make_embedder

pytestmark = pytest.mark.once


@pytest.mark.slow
def test_it_says_how_far_a_file_is(tmp_path):
    embedder = make_embedder(train_tokenizer(TEXTS * 5, 310))
    report = export_litert(embedder, tmp_path / "e.tflite")
    expected = reference(embedder, tmp_path)
    expected["vectors"][1] = (-np.array(expected["vectors"][1])).tolist()

    found = process.run_checker(
        {**expected, "litert": str(report.path)}, tmp_path, CHECKER
    )

    assert found["litert"]["largest_difference"] == pytest.approx(2.0, abs=1e-4)
    assert found["litert"]["furthest"] == expected["texts"][1]
    assert not found["litert"]["agrees"]
    assert found["litert"]["size_bytes"] == report.size_bytes


def test_neighbours_and_the_second_answer_of_the_first_text():
    # Three texts; the last row is the first one again. 0 and 1 are near each other.
    known = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, -1.0]])
    expected = known[[0, 1, 2, 0]]
    wrong = expected.copy()
    wrong[3] = [0.85, -0.527]  # but for itself, now nearest to the third text

    def compare(vectors):
        texts = ["a", "b", "c"]
        return _compare(vectors, expected, vectors - expected, texts, run_check)

    same, other = compare(expected), compare(wrong)

    assert same["equal"] == [True] * 4
    assert same["largest_difference"] == 0
    assert other["equal"] == [True, True, True, False]
    assert other["largest_difference"] == pytest.approx(0.527)
    assert other["furthest"] == "a"
