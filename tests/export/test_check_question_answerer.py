"""The script that checks exports of a question answerer, and that it can say no."""

from types import SimpleNamespace

import pytest

from keras_lm.export import export_litert, process, run_check
from keras_lm.export.check_question_answerer import check_saved_model, compare
from keras_lm.export.question_answerer_kind import CHECKER, reference
from tests.export.test_question_answerer_kind import make_question_answerer

pytestmark = pytest.mark.once


@pytest.mark.slow
def test_it_says_how_far_a_file_is(tmp_path):
    answerer = make_question_answerer()
    report = export_litert(answerer, tmp_path / "a.tflite")
    expected = reference(answerer, tmp_path)
    starts = expected["logits"][1]
    place = expected["inputs"]["context_mask"][1].index(True)
    starts[place][0] += 700.0  # now the model's answer begins there

    found = process.run_checker(
        {**expected, "litert": str(report.path)}, tmp_path, CHECKER
    )["litert"]

    assert found["largest_difference"] == pytest.approx(700.0, abs=1e-2)
    assert not found["agrees"]
    assert not found["equal"][1]
    assert found["equal"][0]
    assert found["size_bytes"] == report.size_bytes


BEST, NONE = ["a", 0, 1, 0.6, -0.51], ["", -1, -1, 0.2, -1.6]


def test_answers_their_choices_and_their_scores():
    close = ["a b", 0, 3, 0.59998, -0.51003]
    choices = [[BEST, close], [NONE, [*BEST[:4], -2.0]], [BEST, close]]
    right = [("a", 0, 1, 0.6), ("", -1, -1, 0.2), ("a", 0, 1, 0.6)]

    def compared(*served):
        return compare([*map(list, served)], choices, ["x", "y"], run_check)

    same = compared(*right)
    either = compared(("a b", 0, 3, 0.59998), *right[1:])
    far = compared(*right[:2], ("a", 0, 1, 0.61))
    other = compared(right[0], ("a", 0, 1, 0.6), right[2])
    moved = compared(("a", 1, 2, 0.6), *right[1:])
    nothing = compared(right[0], ("", -1, -1, float("nan")), right[2])

    assert same["agrees"] and same["largest_difference"] == 0 and same["finite"]
    assert either["agrees"] and either["largest_difference"] == 0
    assert far["agrees"] and far["largest_difference"] == pytest.approx(0.01)
    assert far["furthest"] == "x"
    assert other["equal"] == [True, False, True]
    assert other["greedy_agreement"] == pytest.approx(2 / 3)
    assert moved["equal"] == [False, True, True]
    assert not nothing["finite"]
    assert not nothing["largest_difference"] <= 1


@pytest.mark.parametrize("start", [0, 7])
def test_a_wrong_span_is_seen_where_no_question_has_an_answer(
    start, monkeypatch, tmp_path
):
    import tensorflow as tf

    def serve(*row):
        def signature(question, context):
            assert len(question) == len(context)
            names = ("answer", "start", "end", "score")
            rows = ([one] * len(question) for one in row)
            return {name: tf.constant(one) for name, one in zip(names, rows)}

        return signature

    signatures = {
        "serving_default": serve("", -1, -1, 0.9),
        "best": serve("a", start, start + 1, 0.1),
    }
    model = SimpleNamespace(signatures=signatures)
    monkeypatch.setattr(tf.saved_model, "load", lambda path: model)
    choices = [["a", 0, 1, 0.1, -2.3], ["b", 1, 2, 0.05, -3.0], [*NONE[:3], 0.9, -0.1]]
    job = {"questions": ["x", "y"], "contexts": ["ab"] * 2, "choices": [choices] * 2}

    found = check_saved_model(tmp_path, job, run_check)

    assert found["equal"] == [True] * 3 + [start == 0] * 3
    assert found["agrees"] == (start == 0)
