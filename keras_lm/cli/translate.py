"""`keras-lm translate`: train a translator on pairs of one's own, and ask it."""

import dataclasses
import itertools
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from keras_lm.cli.check_paths import (
    check_folder,
    check_new,
    check_outside,
    check_pipeline,
)
from keras_lm.cli.check_workers import check_alone
from keras_lm.cli.command import Command
from keras_lm.cli.split_pairs import split_pairs
from keras_lm.cli.translator_settings import TranslatorSettings

DEFAULT = TranslatorSettings()
_LINES_AT_A_TIME = 1000  # of a file or a pipe: enough for full batches

translate = typer.Typer(
    no_args_is_help=True, help="Turn texts into other texts with an encoder-decoder."
)


@translate.command("train", cls=Command)
def translate_train(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="Directory of the pipeline to be.")],
    source: Annotated[
        Path | None, typer.Option(help="Texts, one a line; with --target.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="What they become, in the same lines.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Or both in one file, with a tab between.")
    ] = None,
    columns: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="INT INT",
            help="Which fields of --pairs are source and target, from 0.",
            show_default="the two that there are",
        ),
    ] = None,
    model: Annotated[
        Literal["transformer", "lstm"], typer.Option(help="Kind of encoder-decoder.")
    ] = "transformer",
    num_layers: Annotated[
        int | None,
        typer.Option(
            "--layers",
            min=1,
            help="Of encoder and decoder each.",
            show_default="3, of an LSTM 2",
        ),
    ] = None,
    hidden_dim: Annotated[
        int, typer.Option("--width", min=1, help="Of the model's state.")
    ] = DEFAULT.hidden_dim,
    num_heads: Annotated[
        int, typer.Option("--heads", min=1, help="Of a Transformer's attention.")
    ] = DEFAULT.num_heads,
    dropout: Annotated[
        float,
        typer.Option(min=0.0, max=0.9, help="More for fewer pairs."),
    ] = DEFAULT.dropout,
    label_smoothing: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="How unsure to be of the truth.")
    ] = DEFAULT.label_smoothing,
    vocabulary_size: Annotated[
        int, typer.Option(min=260, help="Tokens, shared by source and target, at most.")
    ] = DEFAULT.vocabulary_size,
    max_length: Annotated[
        int,
        typer.Option(
            min=8, help="Tokens of a text; longer pairs are left out of training."
        ),
    ] = DEFAULT.max_length,
    max_batch_tokens: Annotated[
        int,
        typer.Option(
            "--batch-tokens",
            min=16,
            help="Of both sides together.",
        ),
    ] = DEFAULT.max_batch_tokens,
    learning_rate: Annotated[
        float, typer.Option(min=1e-9, help="The highest: a ramp up, then 1 / sqrt.")
    ] = DEFAULT.learning_rate,
    warmup_steps: Annotated[
        int, typer.Option(min=1, help="Of that ramp; 4 epochs at most.")
    ] = DEFAULT.warmup_steps,
    epochs: Annotated[int, typer.Option(min=1, help="At most.")] = DEFAULT.epochs,
    patience: Annotated[
        int,
        typer.Option(min=1, help="Stops after so many without better BLEU or loss."),
    ] = DEFAULT.patience,
    average_last: Annotated[
        int, typer.Option(min=1, help="Epochs whose mean weights are tried, too.")
    ] = DEFAULT.average_last,
    num_held_out: Annotated[
        int | None,
        typer.Option(
            "--held-out",
            min=1,
            help="Pairs to measure on, never trained on.",
            show_default="a tenth, at most 500",
        ),
    ] = None,
    checkpoints: Annotated[
        Path, typer.Option(help="Where an interrupted run finds itself again.")
    ] = Path("checkpoints"),
    seed: Annotated[
        int, typer.Option(min=0, help="The same makes it again.")
    ] = DEFAULT.seed,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the pipeline if it is there.")
    ] = False,
) -> None:
    """Train a translator on pairs of texts and save it as a pipeline."""
    names = [field.name for field in dataclasses.fields(TranslatorSettings)]
    settings = TranslatorSettings(**{name: context.params[name] for name in names})
    for name in ("source", "target", "pairs", "checkpoints"):
        if context.params[name] is not None:
            check_outside(f"--{name}", context.params[name], "--output", output)
    check_new("--output", output, overwrite)
    check_folder("--checkpoints", checkpoints)
    check_alone()
    read = _read_pairs(source, target, pairs, columns)
    split_pairs(read, num_held_out, seed, lambda _: None)  # too few are told now

    from keras_lm.cli.train_translator import train_translator

    train_translator(settings, read, output, checkpoints, overwrite)


def _read_pairs(source, target, pairs, columns):
    """The pairs of one file, or of two."""
    if (source is None) != (target is None) or (source is None) == (pairs is None):
        raise typer.BadParameter(
            "give --source FILE and --target FILE, or --pairs FILE alone"
        )
    from keras_lm import text

    if pairs is None:
        return text.read_pairs(source, target)
    return text.read_pairs(pairs, columns=columns)


@translate.command("run", cls=Command)
def translate_run(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts; if none the lines of stdin, answered a thousand at a time, "
            "of a terminal one by one."
        ),
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
            "--n-best",
            min=1,
            help="So many answers. Above 1 a line is the number of the text, from 0, "
            "the score and the answer, with tabs between.",
        ),
    ] = 1,
) -> None:
    """Print the answer to each text, each on one line.

    If an answer was cut off at --max-new-tokens, that is told on stderr.
    """
    if num_hypotheses > beam_size:
        raise typer.BadParameter("--n-best must be at most --beam-size")
    check_pipeline(directory, "TextToText")

    from keras_lm import pipelines

    pipeline, numbers = pipelines.load(directory), itertools.count()
    num_cut, num_answers = 0, 0
    for some in [texts] if texts else _lines(sys.stdin):
        found = pipeline.n_best(
            some,
            num_hypotheses,
            beam_size,
            max_new_tokens=max_new_tokens,
            length_penalty=length_penalty,
        )
        for answers in found:
            number = next(numbers)
            for answer in answers:
                line = " ".join(answer.text.split("\n"))
                single = num_hypotheses == 1
                typer.echo(line if single else f"{number}\t{answer.score:.4f}\t{line}")
                num_cut, num_answers = num_cut + (not answer.finished), num_answers + 1
    if num_cut:
        typer.echo(
            f"{num_cut:,} of {num_answers:,} answers were cut off: a larger "
            "--max-new-tokens gives more.",
            err=True,
        )


def _lines(stream):
    """Its lines, many together; of a terminal each alone, as it is typed."""
    size = 1 if stream.isatty() else _LINES_AT_A_TIME
    lines = stream if stream.isatty() else _read(stream.buffer)
    while some := list(itertools.islice(lines, size)):
        yield [line.rstrip("\r\n") for line in some]


def _read(stream):
    """Its lines with their ends, without the byte order mark before the first."""
    for number, line in enumerate(stream, start=1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"Texts must be UTF-8 text. Received: stdin, line {number}, "
                f"where byte {error.start} is 0x{line[error.start]:02x}"
            ) from error
        text = text.removeprefix("\ufeff") if number == 1 else text
        if text:
            yield text
