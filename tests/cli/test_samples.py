"""sample: one frame for each, whatever is in it."""

import io

import pytest
from rich.console import Console

from keras_lm.cli.samples import sample

pytestmark = pytest.mark.once


def test_samples_of_several_lines_do_not_run_together():
    console = Console(file=io.StringIO(), width=30)
    for given, written in [("one", "\n\nlines"), ("", ""), ("[bold]中", "文[/x]")]:
        console.print(sample("a title", given, written))

    lines = console.file.getvalue().splitlines()

    assert sum("a title" in line for line in lines) == 3
    assert sum(line.startswith("╰") for line in lines) == 3
    inside = [line.strip("│ ") for line in lines if line.startswith("│")]
    assert inside == ["one", "", "lines", "", "[bold]中文[/x]"]
