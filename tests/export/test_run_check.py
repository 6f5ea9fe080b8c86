"""What checks of exports share, and that they know nothing of keras_lm."""

import ast
import importlib
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from keras_lm.export import process, run_check
from keras_lm.export.kinds import KINDS

pytestmark = pytest.mark.once
MODULES = [importlib.import_module(f"keras_lm.export.{one}") for one in KINDS.values()]
CHECKERS = sorted({kind.CHECKER for kind in MODULES})
ALLOWED = {"json", "numpy", "pathlib", "runpy", "sys", "time"}
ALLOWED |= {"ai_edge_litert.interpreter", "sentencepiece"}
ALLOWED |= {"tensorflow", "tensorflow_text"}
CHECKER = """
import sys
def check_litert(path, job, tools):
    return {"same": tools is sys.modules["__main__"], "asked": job["texts"]}
def check_saved_model(path, job, tools):
    sys.modules["keras_lm"] = None
    return {}
"""


def run(tmp_path, **job):
    script = tmp_path / "check.py"
    script.write_text(CHECKER)
    (tmp_path / "job.json").write_text(json.dumps(job))
    return subprocess.run(
        [sys.executable, "-P", process.DRIVER, script, tmp_path / "job.json"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_checker_is_run_on_the_exports_of_the_job(tmp_path):
    done = run(tmp_path, litert=str(process.DRIVER), texts=["é 中"])

    size = process.DRIVER.stat().st_size
    assert json.loads(done.stdout) == {
        "keras_lm": {"litert": {"same": True, "asked": ["é 中"], "size_bytes": size}}
    }


def test_a_checker_that_imports_keras_lm_gives_no_answer(tmp_path):
    done = run(tmp_path, saved_model=str(tmp_path))

    assert done.stdout == ""
    assert "This must run without ['keras_lm']" in done.stderr


@pytest.mark.parametrize("path", [process.DRIVER, *CHECKERS], ids=lambda one: one.stem)
def test_it_imports_neither_keras_nor_keras_lm(path):
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = {
        a.name for node in nodes if isinstance(node, ast.Import) for a in node.names
    }
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}

    assert names <= ALLOWED


def test_the_first_row_is_asked_for_again_alone():
    def signature(text):
        return {
            "size": SimpleNamespace(numpy=lambda: np.array([len(text)] * len(text)))
        }

    found = run_check.served(signature, {"text": ["a", "b", "c"]})

    assert found["size"].tolist() == [3, 3, 3, 1]


def test_rows_for_litert_and_the_first_before_padding():
    inputs = {"token_ids": [[5, 6], [7]], "padding_mask": [[True, True], [True]]}

    rows = list(run_check.padded_rows(inputs))

    assert [length for _, length in rows] == [2, 1, 2]
    last = rows[2][0]
    assert last["token_ids"].tolist() == [[5, 6, 0, 0, 0]]
    assert last["padding_mask"].tolist() == [[True, True, False, False, False]]
    assert rows[1][0]["padding_mask"].tolist() == [[True]]
    assert [array.dtype for array in last.values()] == ["int32", "bool"]


def test_of_two_as_good_as_equal_either_is_the_choice():
    expected = np.array([[0.0, 2.0, 2.0 - 5e-6], [1.0, 0.0, -1.0]])

    assert run_check.same_choice([1, 0], expected).tolist() == [True, True]
    assert run_check.same_choice([2, 1], expected).tolist() == [True, False]
    assert run_check.same_choice(np.int64(0), expected[0]) == np.False_


def test_what_is_told_of_all_answers():
    found = run_check.judged([0.1, 0.2, 0.3], [True, np.False_, True], ["a", "b"])

    assert found == {
        "equal": [True, False, True],
        "agrees": False,
        "greedy_agreement": pytest.approx(2 / 3),
        "largest_difference": 0.3,
        "furthest": "a",  # which was asked again
    }
    assert "furthest" not in run_check.judged([0.1], [True])
    assert run_check.judged([0.1], [True])["agrees"]
    json.dumps(found)


@pytest.mark.parametrize("place", range(3))
def test_a_difference_that_is_no_number_is_the_largest(place):
    differences = np.where(np.arange(3) == place, np.nan, 1.0)

    found = run_check.judged(differences, [True] * 3, ["a", "b", "c"])

    assert np.isnan(found["largest_difference"])
    assert found["furthest"] == "abc"[place]


def test_sizes_of_files_and_of_folders(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a").write_bytes(b"123")
    (tmp_path / "b").write_bytes(b"12")

    assert run_check.size_bytes(tmp_path) == 5
    assert run_check.size_bytes(tmp_path / "b") == 2


def test_texts_as_they_were():
    text = "中 bad \udcff\udc80 🙂"

    assert run_check.as_bytes(text) == "中 bad ".encode() + b"\xff\x80" + " 🙂".encode()
    found = run_check.strings(["", text])
    assert found.numpy().tolist() == [b"", run_check.as_bytes(text)]
    assert run_check.strings([]).shape == (0,)


@pytest.mark.parametrize("strange", [False, True])
def test_labels_of_scores_with_and_without_one_that_is_named(strange):
    rows = [["é", "中"], ["é", "x" if strange else "中"]]
    answer = {"labels": np.array([[one.encode() for one in row] for row in rows])}
    answer["scores"] = np.array([[0.1, 0.2], [0.8, 0.7]])

    columns, named = run_check.columns_of(answer, ["é", "中"])
    first, _ = run_check.columns_of(answer, ["a", "b"])
    _, said = run_check.columns_of({**answer, "label": [b"z", b"y"]}, ["é", "中"])

    assert columns == first == (rows if strange else rows[:1])
    assert (named, said) == (["中", "é"], ["z", "y"])
