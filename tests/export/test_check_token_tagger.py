"""The script that checks exports of a token tagger, and that it can say no."""

import numpy as np
import pytest

from keras_lm.export import export_litert, process, run_check
from keras_lm.export.check_token_tagger import _compare_words, _summary
from keras_lm.export.token_tagger_kind import CHECKER, reference
from tests.export.test_token_tagger_kind import make_tagger

pytestmark = pytest.mark.once
SHARES = np.log([[0.6, 0.3, 0.1], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])
JOB = {
    "labels": ["O", "B-X", "I-X"],
    "may_begin": [True, True, False],
    "may_follow": [[True, True, False], [True, True, True], [True, True, True]],
    "words": [["中", "b", "c", "d"]],
    "texts": ["中 b c d", "y"],
    "log_probabilities": [SHARES.tolist()],  # the last word was cut off
    "tags": [["O", "B-X", "I-X", "O"]],
}
WORDS, TAGS = JOB["words"][0], JOB["tags"][0]
SCORES = np.array([0.6, 0.25, 0.6, 0.0])


@pytest.mark.slow
def test_it_says_how_far_a_file_is(tmp_path):
    tagger = make_tagger(marks_predicate=True)
    report = export_litert(tagger, tmp_path / "t.tflite")
    expected = reference(tagger, tmp_path)
    token = expected["logits"][1][2]
    token[token.index(max(token))] -= 7.0  # now another label is the model's

    found = process.run_checker(
        {**expected, "litert": str(report.path)}, tmp_path, CHECKER
    )["litert"]

    assert found["largest_difference"] == pytest.approx(7.0, abs=1e-4)
    assert found["furthest"] == expected["texts"][1]
    assert not found["agrees"]
    assert not found["equal"][1]
    assert found["size_bytes"] == report.size_bytes


def test_labels_and_scores_of_words():
    def compare(words=WORDS, labels=TAGS, scores=SCORES):
        return _compare_words(JOB, 0, list(words), list(labels), np.array(scores))

    assert compare() == (pytest.approx(0), True)
    assert compare(scores=[0.6, 0.45, 0.6, 0.0]) == (pytest.approx(0.2), True)
    assert compare(scores=[0.6, 0.25, 0.6, 0.3])[0] == pytest.approx(0.3)
    # Less likely; as likely, but forbidden; other words; what was cut off; one too few.
    assert not compare(labels=["O", "B-X", "B-X", "O"])[1]
    forbidden = ["O", "I-X", "I-X", "O"]
    assert compare(labels=forbidden) == (pytest.approx(0), False)
    assert not compare(words=["x", "b", "c", "d"])[1]
    assert not compare(labels=["O", "B-X", "I-X", "B-X"])[1]
    assert not compare(WORDS[:3], TAGS[:3], SCORES[:3])[1]


def test_all_texts_together():
    found = _summary([(0.1, True), (0.3, True), (0.2, False)], JOB, run_check)

    assert (found["agrees"], found["largest_difference"]) == (False, 0.3)
    assert found["greedy_agreement"] == pytest.approx(2 / 3)
    assert found["furthest"] == "y"
    assert _summary([(0.1, True), (0.3, True)], JOB, run_check)["agrees"]
    assert not _summary([(np.nan, True)], JOB, run_check)["finite"]


@pytest.mark.parametrize("place", range(4))
def test_a_score_that_is_no_number_is_seen_wherever_it_stands(place):
    scores = np.where(np.arange(4) == place, np.nan, SCORES)

    found = _summary([_compare_words(JOB, 0, WORDS, TAGS, scores)], JOB, run_check)

    assert np.isnan(found["largest_difference"])
    assert not found["finite"]
