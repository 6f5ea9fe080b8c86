"""`keras-lm translate`: train a translator on pairs of one's own, and ask it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from keras_lm.cli.check_paths import check_pipeline
from keras_lm.cli.command import Command

translate = typer.Typer(
    no_args_is_help=True, help="Turn texts into other texts with an encoder-decoder."
)


@translate.command("run", cls=Command)
def translate_run(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts; the lines of stdin if none.")
    ] = None,
    beam_size: Annotated[int, typer.Option(min=1, help="1 is greedy.")] = 4,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, show_default="what the pipeline says")
    ] = None,
    length_penalty: Annotated[
        float, typer.Option(help="Above 0 longer answers count for more, at 0 not.")
    ] = 1.0,
    num_hypotheses: Annotated[
        int,
        typer.Option(
            "--n-best", min=1, help="So many answers, with scores, if above 1."
        ),
    ] = 1,
) -> None:
    """Print the answer to each text, each on one line."""
    if num_hypotheses > beam_size:
        raise typer.BadParameter("--n-best must be at most --beam-size")
    check_pipeline(directory, "TextToText")

    from keras_lm import pipelines

    found = pipelines.load(directory).n_best(
        texts or [line.rstrip("\r\n") for line in sys.stdin],
        num_hypotheses,
        beam_size,
        max_new_tokens=max_new_tokens,
        length_penalty=length_penalty,
    )
    for answers in found:
        for answer in answers:
            line = " ".join(answer.text.split("\n"))
            single = num_hypotheses == 1
            typer.echo(line if single else f"{answer.score:10.4f}  {line}")
