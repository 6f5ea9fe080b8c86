"""The sub-commands and their options. What they do is imported when they run.

Keras and its backend take a while to import: paths and names are checked before.
"""

import enum
import os
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
from keras_lm.cli.choose_tokenize import choose_tokenize
from keras_lm.cli.command import Command
from keras_lm.cli.generator_settings import GeneratorSettings
from keras_lm.cli.run_paths import demo_pipeline
from keras_lm.cli.train import AttentionName, train
from keras_lm.cli.translate import translate

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Language models in Keras 3: train them, talk to them, ship them.",
)
app.command("train", cls=Command)(train)
app.add_typer(translate, name="translate")

# Those of `export.export_litert` and `training.compare_texts`.
Quantization = Literal["float16", "dynamic_int8"]
Metric = enum.StrEnum("Metric", ["bleu", "chrf", "rouge"])
Tokenize = Literal["13a", "intl", "zh", "char", "none"]


@app.callback()
def quiet() -> None:
    """Language models in Keras 3: train them, talk to them, ship them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # PyTorch's threads sleep while they wait: where others need the cores too, waiting
    # awake took three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _fraction_above_0(value: float) -> float:
    if not 0 < value <= 1:
        raise typer.BadParameter(f"it must be above 0 and at most 1, not {value}")
    return value


@app.command(cls=Command)
def demo(
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="Your own text: a UTF-8 file, or a folder of them.",
            show_default="docstrings of the installed packages",
        ),
    ] = None,
    attention: Annotated[
        AttentionName, typer.Option(help="The attention of every block.")
    ] = "multi_head",
    output: Annotated[Path, typer.Option(help="Where the exports go.")] = Path(
        "saved_models"
    ),
    checkpoints: Annotated[
        Path, typer.Option(help="Where an interrupted run finds itself again.")
    ] = Path("checkpoints"),
    steps: Annotated[
        int,
        typer.Option(min=1, help="Optimizer steps; rounded up to whole checkpoints."),
    ] = GeneratorSettings().steps,
) -> None:
    """Train a language model on text of this machine, talk to it and ship it."""
    from keras_lm import text

    check_alone()
    pipeline = demo_pipeline(output, corpus)
    check_folder("--output", output)
    check_folder("--checkpoints", checkpoints)
    check_new("--output", pipeline, overwrite=True)
    if corpus is not None:
        check_outside("--corpus", corpus, "--output", pipeline)
        check_outside("--output", output, "--corpus", corpus)
        check_outside("--checkpoints", checkpoints, "--corpus", corpus)
        text.read_corpus(corpus)  # what cannot be read is told now

    from keras_lm.cli.demo import run_demo

    settings = GeneratorSettings(attention=attention).with_steps(steps)
    run_demo(settings, corpus, output, checkpoints)


@app.command(cls=Command)
def generate(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    prompt: Annotated[str, typer.Argument(help="How the text begins.")] = "",
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, show_default="what the pipeline says")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 always takes the likeliest token.")
    ] = 0.0,
    top_p: Annotated[
        float,
        typer.Option(
            callback=_fraction_above_0,
            help="Draws from the likeliest tokens that have this much of the "
            "probability: above 0, at most 1.",
        ),
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Draws the same again.")] = None,
) -> None:
    """Continue a text, piece by piece."""
    if temperature == 0 and (top_p < 1 or seed is not None):
        raise typer.BadParameter("--top-p and --seed need a --temperature above 0")
    check_pipeline(directory, "TextGenerator")

    from keras_lm import pipelines
    from keras_lm.generation import samplers

    sampler = samplers.greedy()
    if temperature > 0:
        sampler = samplers.chain(
            samplers.temperature(temperature), samplers.top_p(top_p)
        )
    generator = pipelines.load(directory)
    pieces = generator.stream(prompt, max_new_tokens, sampler, seed=seed)
    typer.echo(prompt, nl=False)
    for piece in pieces:
        typer.echo(piece, nl=False)
        sys.stdout.flush()
    typer.echo()


@app.command(cls=Command)
def score(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    texts: Annotated[list[str], typer.Argument(help="Texts to compare.")],
) -> None:
    """Print how likely the model finds each text, in nats."""
    check_pipeline(directory, "TextGenerator")

    from keras_lm import pipelines

    scores = pipelines.load(directory).score(texts)
    for text, nats in zip(texts, scores, strict=True):
        typer.echo(f"{nats:10.2f}  {text}")


@app.command(cls=Command)
def export(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    saved_model: Annotated[
        Path | None, typer.Option(help="Folder for the SavedModel's versions.")
    ] = None,
    litert: Annotated[
        Path | None, typer.Option(help="The .tflite file to write.")
    ] = None,
    quantization: Annotated[
        Quantization | None,
        typer.Option(help="For --litert.", show_default="none: float32"),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the .tflite file if it is there."),
    ] = False,
) -> None:
    """Turn a pipeline into a SavedModel, a LiteRT file or both, checked."""
    if saved_model is None and litert is None:
        raise typer.BadParameter("give --saved-model FOLDER, --litert FILE, or both")
    if litert is None and (quantization is not None or overwrite):
        raise typer.BadParameter("--quantization and --overwrite are for --litert")
    check_pipeline(directory)
    if saved_model is not None:
        check_folder("--saved-model", saved_model)
    if litert is not None:
        if litert.suffix != ".tflite":
            raise ValueError(f"`--litert` must end in .tflite. Received: {litert}")
        check_new("--litert", litert, overwrite, folder=False)

    from keras_lm import export, pipelines

    pipeline = pipelines.load(directory)
    if saved_model is not None:
        typer.echo(export.export_saved_model(pipeline, saved_model))
    if litert is not None:
        typer.echo(export.export_litert(pipeline, litert, quantization, overwrite))


@app.command(cls=Command)
def evaluate(
    hypotheses: Annotated[Path, typer.Option(help="A model's texts, one a line.")],
    references: Annotated[Path, typer.Option(help="What they should be.")],
    metric: Annotated[
        list[Metric] | None,
        typer.Option(help="Give it again for another.", show_default="bleu and chrf"),
    ] = None,
    lowercase: Annotated[
        bool,
        typer.Option("--lowercase", help="Small letters only, for BLEU and chrF."),
    ] = False,
    tokenize: Annotated[
        Tokenize | None,
        typer.Option(
            help="How BLEU finds words.",
            show_default="zh for Chinese, char for other text without spaces, else 13a",
        ),
    ] = None,
) -> None:
    """Print BLEU and chrF of a file, or the metrics named, each with its signature."""
    from keras_lm import text

    said, wanted = zip(*text.read_pairs(hypotheses, references), strict=True)
    metrics = [str(name) for name in metric or ("bleu", "chrf")]
    words = tokenize or choose_tokenize(wanted)
    if tokenize is None and words != "13a" and "bleu" in metrics:
        told = f"BLEU's words are {words}, for the references are without spaces"
        typer.echo(f"{told} (see --tokenize).", err=True)

    from keras_lm import training

    found = training.compare_texts(said, wanted, metrics, lowercase, words)
    for name, (value, signature) in found.items():
        typer.echo(f"{name:8}{value:7.2f}  {signature}")
