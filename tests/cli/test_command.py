"""Command: what a person can mend is one line, in the words of the shell."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from keras_lm.cli.command import Command

pytestmark = pytest.mark.once
app = typer.Typer()
ERRORS = {}


@app.command(cls=Command)
def fail(
    name: str,
    max_new_tokens: Annotated[int, typer.Option()] = 5,
    num_layers: Annotated[int, typer.Option("--layers")] = 3,
    overwrite: Annotated[bool, typer.Option()] = False,
):
    raise ERRORS[name]


def failed(error):
    ERRORS["error"] = error
    return CliRunner().invoke(app, ["error"])


@pytest.mark.parametrize("kind", [ImportError, ValueError, FileNotFoundError])
def test_what_a_person_can_mend_is_one_line_and_exit_code_1(kind):
    result = failed(kind("The file must exist. Received: x"))

    assert result.exit_code == 1
    assert result.output == "Error: The file must exist. Received: x\n"


def test_a_fault_of_ours_keeps_its_trace():
    result = failed(KeyError("ours"))

    assert isinstance(result.exception, KeyError)


def test_arguments_are_named_as_the_shell_names_them():
    result = failed(
        ValueError(
            "`max_new_tokens` must be below 9, `num_layers` too, or overwrite=True be "
            "given. Received: max_new_tokens=12, num_layers=[1], a max_new_tokens of "
            "`name` and other_num_layers=3, in x/overwrite"
        )
    )

    assert result.output == (
        "Error: `--max-new-tokens` must be below 9, `--layers` too, or --overwrite be "
        "given. Received: --max-new-tokens=12, --layers=[1], a max_new_tokens of "
        "`name` and other_num_layers=3, in x/overwrite\n"
    )
