"""The script that checks exports of a question answerer, and that it can say no."""

import ast

import pytest

from keras_lm.export import export_litert, process
from keras_lm.export.check_question_answerer import compare
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


def test_answers_and_the_second_one_of_the_first_question():
    best, close = ["a", 0, 1, 0.6, -0.51], ["a b", 0, 3, 0.59998, -0.51003]
    none = ["", -1, -1, 0.2, -1.6]
    job = {
        "questions": ["x", "y"],
        "choices": [[best, close], [none, best[:4] + [-2.0]]],
    }
    right = [("a", 0, 1, 0.6), ("", -1, -1, 0.2), ("a", 0, 1, 0.6)]

    same = compare(right, job)
    either = compare([("a b", 0, 3, 0.59998), *right[1:]], job)
    far = compare([*right[:2], ("a", 0, 1, 0.61)], job)
    other = compare([right[0], ("a", 0, 1, 0.6), right[2]], job)
    moved = compare([("a", 1, 2, 0.6), *right[1:]], job)
    nothing = compare([("a", 0, 1, float("nan")), *right[1:]], job)

    assert same["agrees"] and same["largest_difference"] == 0 and same["finite"]
    assert either["agrees"] and either["largest_difference"] == 0
    assert far["agrees"] and far["largest_difference"] == pytest.approx(0.01)
    assert far["furthest"] == "x"
    assert other["equal"] == [True, False, True]
    assert other["greedy_agreement"] == pytest.approx(2 / 3)
    assert moved["equal"] == [False, True, True]
    assert not nothing["finite"]


def test_it_imports_neither_keras_nor_keras_lm():
    nodes = list(ast.walk(ast.parse(CHECKER.read_text("utf-8"))))
    names = {
        a.name for node in nodes if isinstance(node, ast.Import) for a in node.names
    }
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}

    assert names == {
        "ai_edge_litert.interpreter",
        "json",
        "numpy",
        "pathlib",
        "sys",
        "tensorflow",
        "tensorflow_text",
    }
