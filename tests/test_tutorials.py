"""Each tutorial runs, shrunk to a few steps, and what it says is exact is exact."""

import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parent.parent
TUTORIALS = sorted((ROOT / "tutorials").glob("[0-9]*.py"))
SECTIONS = [
    "Data",
    "Look at one example",
    "Model",
    "Train",
    "Use it",
    "Export and check that it still agrees",
    "What to try next",
]
HEAD = ["You will", "Read first", "Data", "Cost", "Result", "Paper"]
# What is about the backends runs on each of them, with the slow tests.
ON_EVERY_BACKEND = {"02_language_model"}
# They take long also when they are shrunk: with the slow tests.
SLOW = {
    "02_language_model",  # what `keras-lm demo` does, which is tested too
    "04_bayesian_attention",
    "10_pretraining",
    "11_fine_tuning",
    "12_question_answering",
    "14_semantic_search",
    "15_word_senses",
    "16_dialogue",
}

# What they take behind the name, for data of one's own.
OPTIONS = {
    "05_multimodal_attention": {"--data"},
    "08_translation": {"--pairs"},
    "11_fine_tuning": {"--data"},
    "12_question_answering": {"--data"},
    "13_semantic_roles": {"--data"},
    "14_semantic_search": {"--data"},
    "15_word_senses": {"--data", "--wordnet"},
}


def named(path):
    everywhere = path.stem in ON_EVERY_BACKEND
    marks = [pytest.mark.slow_elsewhere if everywhere else pytest.mark.once]
    marks += [pytest.mark.slow] * (path.stem in SLOW)
    return pytest.param(path, marks=marks, id=path.stem)


def run_shrunk(path, folder, *options):
    return subprocess.run(
        [sys.executable, path, *options],
        cwd=folder,
        env={**os.environ, "KERAS_LM_QUICK": str(folder)},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.mark.parametrize("path", [named(path) for path in TUTORIALS])
def test_a_tutorial_runs_shrunk(path, tmp_path):
    process = run_shrunk(path, tmp_path)

    assert process.returncode == 0, process.stdout + process.stderr
    drawn = {picture.name for picture in tmp_path.glob("*.png")}
    words = set(path.read_text("utf-8").split("`"))
    assert drawn == {word for word in words if word.endswith(".png")}


@pytest.mark.slow
@pytest.mark.once
def test_the_translator_is_made_of_pairs_of_one_s_own(tmp_path):
    lines = [f"第 {n} 句 🙂\tsentence {n} 🙂\n" for n in range(60)]
    (tmp_path / "pairs.tsv").write_text("".join(lines), encoding="utf-8")
    path = ROOT / "tutorials" / "08_translation.py"

    process = run_shrunk(path, tmp_path, "--pairs", "pairs.tsv")

    assert process.returncode == 0, process.stdout + process.stderr
    assert "60 pairs given; 40 to train on, 8 to choose" in process.stdout


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "option"),
    [(name, option) for name, some in OPTIONS.items() for option in sorted(some)],
)
def test_an_option_without_its_path_is_refused(tmp_path, name, option):
    process = run_shrunk(ROOT / "tutorials" / f"{name}.py", tmp_path, option)

    assert process.returncode == 1
    told = process.stderr.splitlines()[-1]
    kind = "file" if option == "--pairs" else "folder"
    assert told == f"`{option}` must be followed by a {kind}. Received: nothing"


@pytest.mark.once
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_opens_as_a_notebook_with_the_seven_cells(path):
    cells = jupytext.read(path).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    lines = prose.splitlines()
    sections = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    head = [line.split("**")[1] for line in lines if line.startswith("- **")]

    assert lines[0].startswith("# ")
    assert head[: len(HEAD)] == HEAD
    assert sections == SECTIONS
    assert all(cell.source.strip() for cell in cells)
    (read_first,) = (line for line in lines if line.startswith("- **Read first**"))
    earlier = {other.name for other in TUTORIALS if other.name < path.name}
    assert set(re.findall(r"\w+\.py", read_first)) <= earlier


@pytest.mark.once
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_an_option_that_the_head_names_is_read(path):
    texts = {"markdown": "", "code": ""}
    for cell in jupytext.read(path).cells:
        texts[cell.cell_type] += cell.source + "\n"
    named = set(re.findall(r"`(--[a-z]+) [A-Z]+`", texts["markdown"]))

    assert named == OPTIONS.get(path.stem, set())
    assert all(f'"{option}" in sys.argv' in texts["code"] for option in named)


@pytest.mark.once
def test_the_table_names_them_in_their_order():
    readme = (ROOT / "tutorials" / "README.md").read_text("utf-8")

    named = re.findall(r"^\| `(\w+\.py)`", readme, re.MULTILINE)
    assert named == [path.name for path in TUTORIALS]
