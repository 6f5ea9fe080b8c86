"""README.md: its Python runs, in order, in one process; what it names exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
# Languages of blocks. Only `python` is run; another word is refused, so that no
# block is skipped because of a spelling.
NOT_RUN = {"bash", "text"}

pytestmark = pytest.mark.once


def fenced_blocks():
    """`(language, number of the first line of code, code)` of each block."""
    blocks, language, start, lines = [], None, 0, []
    for number, line in enumerate(README.read_text("utf-8").splitlines(), start=1):
        fence = re.fullmatch(r"\s*(```+|~~~+)\s*(.*?)\s*", line)
        if fence and language is None:
            language, start, lines = fence[2], number + 1, []
        elif fence:
            blocks.append((language, start, "\n".join(lines)))
            language = None
        elif language is not None:
            lines.append(line)
    assert language is None, f"README.md:{start - 1}: this block is never closed"
    return blocks


def test_every_block_has_a_known_language():
    unknown = [
        f"README.md:{start - 1}: {language!r}"
        for language, start, _ in fenced_blocks()
        if language not in NOT_RUN | {"python"}
    ]

    assert unknown == []


def test_the_python_blocks_run_in_order(tmp_path):
    blocks = [
        (start, code) for lang, start, code in fenced_blocks() if lang == "python"
    ]
    assert blocks, "README.md has no ```python block"
    # Each block stands on its own line numbers, so that a traceback shows README's.
    script = ""
    for start, code in blocks:
        script += "\n" * (start - 1 - script.count("\n")) + code + "\n"
    path = tmp_path / "README.py"
    path.write_text(script, "utf-8")
    work = tmp_path / "work"
    work.mkdir()

    process = subprocess.run(
        [sys.executable, path],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert process.returncode == 0, process.stdout + process.stderr


def test_every_make_target_it_names_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    shell = [code for language, _, code in fenced_blocks() if language == "bash"]
    prose = re.findall(r"`([^`\n]*)`", README.read_text("utf-8"))
    named = {
        target
        for line in [*"\n".join(shell).splitlines(), *prose]
        for target in re.findall(r"^(?:\w+=\S+ )*make ([a-z-]+)", line.strip())
    }

    assert named - targets == set()
    assert {"demo", "test"} <= named


def test_every_room_is_in_the_tree():
    text = README.read_text("utf-8")
    rooms = [path.parent.name for path in (ROOT / "keras_lm").glob("*/__init__.py")]

    assert [room for room in rooms if not re.search(rf"\b{room}/", text)] == []
