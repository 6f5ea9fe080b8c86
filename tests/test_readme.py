"""README.md: its Python runs, in order, in one process; what it names exists."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keras_lm.cli import app
from tests.markdown import blocks_of, run_blocks

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
# Languages of blocks. Only `python` is run; another word is refused, so that no
# block is skipped because of a spelling.
NOT_RUN = {"bash", "text"}

pytestmark = pytest.mark.once


def test_every_block_has_a_known_language():
    unknown = [
        f"README.md:{start - 1}: {language!r}"
        for language, start, _ in blocks_of(README)
        if language not in NOT_RUN | {"python"}
    ]

    assert unknown == []


def test_the_python_blocks_run_in_order(tmp_path):
    process = run_blocks(README, tmp_path)

    assert process.returncode == 0, process.stdout + process.stderr


def test_every_make_target_it_names_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    shell = [code for language, _, code in blocks_of(README) if language == "bash"]
    prose = re.findall(r"`([^`\n]*)`", README.read_text("utf-8"))
    named = {
        target
        for line in [*"\n".join(shell).splitlines(), *prose]
        for target in re.findall(r"^(?:\w+=\S+ )*make ([a-z-]+)", line.strip())
    }

    assert named - targets == set()
    assert {"demo", "test"} <= named


def test_every_option_of_the_command_line_that_it_names_exists():
    shell = [code for language, _, code in blocks_of(README) if language == "bash"]
    commands = re.findall(r"^keras-lm (.*?)(?:  #.*)?$", "\n".join(shell), re.MULTILINE)
    assert commands
    for command in commands:
        words = re.match(r"(?:translate )?\w+", command)[0].split()
        told = CliRunner().invoke(app, [*words, "--help"])
        assert told.exit_code == 0, command
        for option in re.findall(r"--[a-z-]+", command):
            assert option in told.output, command


def test_every_room_is_in_the_tree():
    text = README.read_text("utf-8")
    rooms = [path.parent.name for path in (ROOT / "keras_lm").glob("*/__init__.py")]

    assert [room for room in rooms if not re.search(rf"\b{room}/", text)] == []
