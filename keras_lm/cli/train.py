"""`keras-lm train`: the options. A mistake is told before Keras is imported."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer

from keras_lm.cli.check_paths import check_folder, check_new, check_outside
from keras_lm.cli.check_workers import check_workers
from keras_lm.cli.generator_settings import GeneratorSettings

DEFAULT = GeneratorSettings()

# Those of `layers.choose_attention`.
AttentionName = Literal["multi_head", "local", "dynamic", "regional", "bayesian"]


def train(
    context: typer.Context,
    corpus: Annotated[
        Path, typer.Argument(help="Your text: a UTF-8 file, or a folder of them.")
    ],
    output: Annotated[
        Path, typer.Option("--out", help="Directory of the pipeline to be.")
    ],
    attention: Annotated[
        AttentionName, typer.Option(help="The attention of every block.")
    ] = "multi_head",
    num_layers: Annotated[
        int, typer.Option("--layers", min=1, help="Blocks.")
    ] = DEFAULT.num_layers,
    hidden_dim: Annotated[
        int, typer.Option("--width", min=1, help="Of the model's state.")
    ] = DEFAULT.hidden_dim,
    num_heads: Annotated[
        int, typer.Option("--heads", min=1, help="Of the attention.")
    ] = DEFAULT.num_heads,
    dropout: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="More for less text.")
    ] = DEFAULT.dropout,
    vocabulary_size: Annotated[
        int, typer.Option(min=260, help="Tokens, at most.")
    ] = DEFAULT.vocabulary_size,
    sequence_length: Annotated[
        int, typer.Option("--length", min=1, help="Tokens of a row of a batch.")
    ] = DEFAULT.sequence_length,
    max_sequence_length: Annotated[
        int,
        typer.Option(
            "--max-length", min=2, help="Of a prompt and its continuation, tokens."
        ),
    ] = DEFAULT.max_sequence_length,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Rows of a batch; fewer if there is little text.")
    ] = DEFAULT.batch_size,
    learning_rate: Annotated[
        float, typer.Option(min=1e-9, help="The highest: a ramp up, then a cosine.")
    ] = DEFAULT.learning_rate,
    warmup_steps: Annotated[
        int, typer.Option(min=1, help="Of that ramp; a tenth of --steps at most.")
    ] = DEFAULT.warmup_steps,
    steps: Annotated[
        int,
        typer.Option(min=1, help="Optimizer steps; rounded up to whole checkpoints."),
    ] = DEFAULT.steps,
    steps_per_epoch: Annotated[
        int,
        typer.Option(
            "--checkpoint-every", min=1, help="Steps from checkpoint to checkpoint."
        ),
    ] = DEFAULT.steps_per_epoch,
    held_out: Annotated[
        float,
        typer.Option(
            min=1e-3, max=0.5, help="The part of the text to measure on, not to learn."
        ),
    ] = DEFAULT.held_out,
    distribute: Annotated[
        Literal["none", "data", "model"],
        typer.Option(
            help="Over all devices: data, a part of each batch for each (on PyTorch "
            "under torchrun); model, a part of each weight (on JAX)."
        ),
    ] = "none",
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
    """Train a language model on your own text and save it as a pipeline."""
    fields = [field.name for field in dataclasses.fields(GeneratorSettings)]
    chosen = {name: context.params[name] for name in fields if name in context.params}
    settings = GeneratorSettings(**chosen, intermediate_dim=4 * hidden_dim)
    settings = settings.with_steps(steps)
    check_workers(distribute)
    check_outside("corpus", corpus, "--out", output)
    check_outside("--out", output, "corpus", corpus)
    check_outside("--checkpoints", checkpoints, "--out", output)
    check_outside("--checkpoints", checkpoints, "corpus", corpus)
    check_new("--out", output, overwrite)
    check_folder("--checkpoints", checkpoints)
    from keras_lm import text

    settings.split(text.read_corpus(corpus))  # what cannot be read is told now

    from keras_lm.cli.train_generator import train_generator

    train_generator(settings, corpus, output, checkpoints, overwrite, distribute)
