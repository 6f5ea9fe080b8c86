"""`keras-lm demo`: from the text of this machine to a model that other programs run."""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
from rich.console import Console

from keras_lm import export, models, pipelines, text, training
from keras_lm.cli.demo_settings import DemoSettings
from keras_lm.cli.report import Report
from keras_lm.cli.samples import sample
from keras_lm.export import process

console = Console()


def run_demo(settings: DemoSettings, corpus, output: Path, checkpoints: Path) -> Report:
    """Trains, measures, generates, exports and checks.

    Args:
        settings: `DemoSettings`; a corpus too small for its batches gets smaller ones.
        corpus: path of a text file or a folder, or `None` for docstrings.
        output: folder of the exports.
        checkpoints: folder of the checkpoints.

    Returns:
        `Report`, already printed.

    Raises:
        ValueError: the corpus is empty or too small, or a setting does not fit.
        OSError: something cannot be read or written.
        ExportError: an export does not agree with the model.
    """
    report = Report(time.perf_counter())
    name = "docstring_lm" if corpus is None else f"{Path(corpus).stem}_lm"
    keras.utils.set_random_seed(settings.seed)

    console.rule("Text")
    documents = read_documents(corpus)
    train, held_out = text.split_documents(documents, 0.05, settings.seed)
    tokenizer = text.train_tokenizer(texts_of(train), settings.vocabulary_size)
    characters = sum(len(document.text) for document in documents)
    report.add("corpus", f"{characters:,} characters in {len(documents):,} documents")
    report.add("held out", ", ".join(d.name for d in held_out[:3]) + ", ..")
    console.print(report.last(2))
    settings = fit_batches(settings, train, tokenizer)

    console.rule(f"Training on {keras.backend.backend()}")
    model = build_model(settings, tokenizer)
    report.add("parameters", f"{model.count_params():,}")
    train_model(model, tokenizer, train, settings, name, checkpoints, report)
    perplexity = validation_perplexity(model, tokenizer, held_out, settings)
    compare_with_n_grams(perplexity, train, held_out, tokenizer, settings, report)

    console.rule("Generation")
    generator = pipelines.TextGenerator(model, tokenizer, max_new_tokens=48)
    prompts = choose_prompts(corpus, held_out, settings)
    answers = talk(generator, prompts, report)

    console.rule("Export")
    directory = output / f"{name}_pipeline"
    generator.save(directory, overwrite=True)
    report.add("pipeline", str(directory), directory)
    saved_model = export.export_saved_model(generator, output / name)
    litert = export.export_litert(generator, output / f"{name}.tflite", overwrite=True)
    check_in_fresh_process(saved_model, litert, prompts, answers, report)
    report.finish()
    console.print(report.table(f"keras_lm demo on {keras.backend.backend()}"))
    return report


def read_documents(corpus):
    """The docstrings of the installed packages, or the user's own text."""
    if corpus is not None:
        return text.read_corpus(corpus)
    return text.docstring_corpus(packages=("python", "keras", "numpy"))


def texts_of(documents):
    """The texts alone."""
    return [document.text for document in documents]


def fit_batches(settings, train, tokenizer):
    """The settings, with smaller batches where the corpus is small, which is told."""
    num_tokens = text.encode_corpus(texts_of(train), tokenizer).size
    fitted = settings.for_corpus(num_tokens)
    if fitted != settings:
        console.print(
            f"batches: {fitted.batch_size} x {fitted.sequence_length} tokens and not "
            f"{settings.batch_size} x {settings.sequence_length}, for there are "
            f"{num_tokens:,} to train on"
        )
    return fitted


def build_model(settings, tokenizer):
    """A Transformer decoder, compiled with its loss, metric and schedule."""
    model = models.TransformerDecoder(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=settings.num_layers,
        num_heads=settings.num_heads,
        hidden_dim=settings.hidden_dim,
        intermediate_dim=settings.intermediate_dim,
        max_sequence_length=settings.max_sequence_length,
        attention=settings.attention,
    )
    steps = settings.epochs * settings.steps_per_epoch
    schedule = training.WarmupCosine(
        settings.learning_rate, settings.warmup_steps, max(steps, 2), 0.05
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0
    )
    model.compile(
        optimizer,
        loss=training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
    )
    return model


def train_model(model, tokenizer, train, settings, name, checkpoints, report):
    """`model.fit`, from the last checkpoint of the same run on."""
    dataset = text.language_model_dataset(
        texts_of(train),
        tokenizer,
        settings.sequence_length,
        settings.batch_size,
        seed=settings.seed,
        repeat=True,
    )
    checkpoint = training.ResumableCheckpoint(
        checkpoints / f"{name}_{keras.backend.backend()}",
        settings={
            **dataclasses.asdict(settings),
            "corpus": text.encode_corpus(texts_of(train), tokenizer).size,
        },
        notify=console.print,
    )
    start = checkpoint.restore(model)
    began = time.perf_counter()
    model.fit(
        dataset.skip(start * settings.steps_per_epoch),
        steps_per_epoch=settings.steps_per_epoch,
        initial_epoch=start,
        epochs=settings.epochs,
        callbacks=[checkpoint],
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    checkpoint.finish()
    seconds = time.perf_counter() - began
    steps = (settings.epochs - start) * settings.steps_per_epoch
    tokens = steps * settings.batch_size * settings.sequence_length
    report.add(
        "training", f"{steps} steps, {tokens / max(seconds, 1e-9):,.0f} tokens/s"
    )


def validation_perplexity(model, tokenizer, held_out, settings):
    """Perplexity per token of documents that no training step has seen."""
    dataset = text.language_model_dataset(
        texts_of(held_out),
        tokenizer,
        settings.sequence_length,
        settings.batch_size,
        shuffle=False,
        drop_remainder=False,
    )
    return model.evaluate(dataset, verbose=0, return_dict=True)["perplexity"]


def compare_with_n_grams(perplexity, train, held_out, tokenizer, settings, report):
    """Unigram and bigram models of the same tokens, tuned apart from both parts."""
    counted, tuning = text.split_documents(train, 0.05, settings.seed + 1)
    counted, tuning, scored = (
        text.encode_corpus(texts_of(part), tokenizer)
        for part in (counted, tuning, held_out)
    )
    baselines = {}
    for order, kind in ((1, "unigram"), (2, "bigram")):
        baseline = training.NGramModel(order, tokenizer.vocabulary_size)
        baseline.fit(counted, tuning)
        baselines[kind] = float(baseline.perplexity(scored))
        report.add(f"perplexity, {kind}", f"{baselines[kind]:.1f}")
    ratio = perplexity / baselines["bigram"]
    told = f"{perplexity:.1f}, {ratio:.2f} of the bigram model's"
    report.add("perplexity, this model", told)
    report.values = {"perplexity": perplexity, **baselines}
    console.print(report.last(3))


def choose_prompts(corpus, held_out, settings):
    """Three beginnings: for docstrings of our own, else from the held-out documents."""
    if corpus is None:
        return ["Return the", "Create a new array", "Raises ValueError if"]
    beginnings = [document.text[:12] for document in held_out[:3]]
    return [*beginnings, "", ""][:3]


def talk(generator, prompts, report):
    """Greedy answers, to read, and for the exports to repeat."""
    generator(prompts)  # the first call compiles
    began = time.perf_counter()
    answers = generator(prompts)
    seconds = time.perf_counter() - began
    tokens = sum(len(ids) for ids in generator.tokenizer.encode(answers))
    for prompt, answer in zip(prompts, answers, strict=True):
        title = "beginning (bold) and what the model adds"
        console.print(sample(title, prompt, answer))
    report.add("generation", f"{tokens / seconds:,.0f} tokens/s, three prompts at once")
    return answers


def check_in_fresh_process(saved_model, litert, prompts, answers, report):
    """Both exports, in a process without keras_lm or keras, say what the model says."""
    job = {
        "saved_model": str(saved_model.path),
        "litert": str(litert.path),
        "prompts": prompts,
        "greedy_texts": answers,
    }
    with tempfile.TemporaryDirectory() as folder:
        job_path = Path(folder) / "job.json"
        job_path.write_text(json.dumps(job), encoding="utf-8")
        scripts = [str(process.DRIVER), str(process.CHECKER)]
        command = [sys.executable, "-P", *scripts, str(job_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise export.ExportError(
            f"The exports must run in a process of their own. Received: {done.stderr}"
        )
    checked = json.loads(done.stdout.splitlines()[-1])["keras_lm"]
    for kind, made in (("saved_model", saved_model), ("litert", litert)):
        told = (
            f"{_short(made.path)}, {checked[kind]['tokens_per_second']:,.0f} tokens/s, "
            f"largest difference {made.largest_difference:.1e}"
        )
        report.add(kind, told, made.path, checked[kind]["agrees"])


def _short(path):
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
