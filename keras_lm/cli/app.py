"""The sub-commands and their options. What they do is imported when they run."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Language models in Keras 3: train them, talk to them, ship them.",
)


translate = typer.Typer(
    no_args_is_help=True, help="Turn texts into other texts with an encoder-decoder."
)
app.add_typer(translate, name="translate")


@app.callback()
def quiet() -> None:
    """Language models in Keras 3: train them, talk to them, ship them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # PyTorch's threads sleep while they wait: where others need the cores too, waiting
    # awake took three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@app.command()
def demo(
    corpus: Annotated[
        Path | None,
        typer.Option(help="Your own text: a UTF-8 file, or a folder of them."),
    ] = None,
    attention: Annotated[
        str, typer.Option(help="Short name of the attention of every block.")
    ] = "multi_head",
    output: Annotated[Path, typer.Option(help="Where the exports go.")] = Path(
        "saved_models"
    ),
    checkpoints: Annotated[
        Path, typer.Option(help="Where an interrupted run finds itself again.")
    ] = Path("checkpoints"),
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps.")] = None,
) -> None:
    """Train a language model on text of this machine, talk to it and ship it."""
    from keras_lm.cli.demo import Settings, run_demo

    settings = Settings(attention=attention)
    if steps is not None:
        settings = settings.with_steps(steps)
    _run(lambda: run_demo(settings, corpus, output, checkpoints))


@app.command()
def generate(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    prompt: Annotated[str, typer.Argument(help="How the text begins.")] = "",
    max_new_tokens: Annotated[int | None, typer.Option(min=1)] = None,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 always takes the likeliest token.")
    ] = 0.0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0)] = 1.0,
    seed: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Continue a text, piece by piece."""

    def run():
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

    _run(run)


@app.command()
def score(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    texts: Annotated[list[str], typer.Argument(help="Texts to compare.")],
) -> None:
    """Print how likely the model finds each text, in nats."""

    def run():
        from keras_lm import pipelines

        scores = pipelines.load(directory).score(texts)
        for text, nats in zip(texts, scores, strict=True):
            typer.echo(f"{nats:10.2f}  {text}")

    _run(run)


@app.command()
def export(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    saved_model: Annotated[
        Path | None, typer.Option(help="Folder for the SavedModel's versions.")
    ] = None,
    litert: Annotated[
        Path | None, typer.Option(help="The .tflite file to write.")
    ] = None,
    quantization: Annotated[
        str | None, typer.Option(help="float16 or dynamic_int8, for --litert.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace the .tflite file if it is there.")
    ] = False,
) -> None:
    """Turn a pipeline into a SavedModel, a LiteRT file or both, checked."""
    if saved_model is None and litert is None:
        raise typer.BadParameter("give --saved-model FOLDER, --litert FILE, or both")

    def run():
        from keras_lm import export, pipelines

        pipeline = pipelines.load(directory)
        if saved_model is not None:
            typer.echo(export.export_saved_model(pipeline, saved_model))
        if litert is not None:
            report = export.export_litert(pipeline, litert, quantization, overwrite)
            typer.echo(report)

    _run(run)


@translate.command("run")
def translate_run(
    directory: Annotated[Path, typer.Argument(help="A pipeline's directory.")],
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts; the lines of stdin if none.")
    ] = None,
    beam_size: Annotated[int, typer.Option(min=1, help="1 is greedy.")] = 4,
    max_new_tokens: Annotated[int | None, typer.Option(min=1)] = None,
    length_penalty: Annotated[float, typer.Option()] = 1.0,
    n_best: Annotated[
        int, typer.Option(min=1, help="So many answers, with scores, if above 1.")
    ] = 1,
) -> None:
    """Print the answer to each text, each on one line."""

    def run():
        from keras_lm import pipelines

        translator = pipelines.load(directory)
        if not isinstance(translator, pipelines.TextToText):
            raise ValueError(
                "The directory must hold a `TextToText`. "
                f"Received: {directory}, a `{type(translator).__name__}`"
            )
        given = texts or [line.rstrip("\r\n") for line in sys.stdin]
        found = translator.n_best(
            given,
            n_best,
            beam_size,
            max_new_tokens=max_new_tokens,
            length_penalty=length_penalty,
        )
        for answers in found:
            for answer in answers:
                line = " ".join(answer.text.split("\n"))
                typer.echo(line if n_best == 1 else f"{answer.score:10.4f}  {line}")

    _run(run)


@app.command()
def evaluate(
    hypotheses: Annotated[Path, typer.Option(help="A model's texts, one a line.")],
    references: Annotated[Path, typer.Option(help="What they should be.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="bleu, chrf or rouge; give it again for another."),
    ] = None,
    lowercase: Annotated[
        bool, typer.Option(help="Small letters only, for BLEU and chrF.")
    ] = False,
    tokenize: Annotated[
        str, typer.Option(help="BLEU's words: 13a, intl, zh (Chinese), char, none.")
    ] = "13a",
) -> None:
    """Print BLEU and chrF of a file, or the metrics named, each with its signature."""

    def run():
        from keras_lm import text, training

        said, wanted = zip(*text.read_pairs(hypotheses, references), strict=True)
        metrics = metric or ["bleu", "chrf"]
        found = training.compare_texts(said, wanted, metrics, lowercase, tokenize)
        for name, (value, signature) in found.items():
            typer.echo(f"{name:8}{value:7.2f}  {signature}")

    _run(run)


def _run(command) -> None:
    """Runs a command; what a person can mend is told in one line, without a trace."""
    try:
        command()
    except (ImportError, ValueError, OSError) as error:
        typer.secho(f"Error: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
