"""`keras-lm demo`: from the text of this machine to a model that other programs run."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras

from keras_lm import export, text
from keras_lm.cli.fit_generator import beginnings, console, cut, fit_generator, talk
from keras_lm.cli.generator_settings import GeneratorSettings
from keras_lm.cli.report import Report
from keras_lm.cli.run_paths import demo_name, demo_pipeline
from keras_lm.export import process


def run_demo(
    settings: GeneratorSettings, corpus, output: Path, checkpoints: Path
) -> Report:
    """Trains, measures, generates, exports and checks.

    Args:
        settings: `GeneratorSettings`; a corpus too small for its batches gets smaller
            ones.
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
    name = demo_name(corpus)
    folder = checkpoints / f"{name}_{keras.backend.backend()}"
    fitted = fit_generator(settings, read_documents(corpus), folder, report)
    generator = fitted.generator
    directory = demo_pipeline(output, corpus)
    generator.save(directory, overwrite=True)
    fitted.checkpoint.finish()
    report.add("pipeline", str(directory), directory)
    prompts = cut(choose_prompts(corpus, fitted.held_out), generator)
    answers = talk(generator, prompts, report)

    console.rule("Export")
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


def choose_prompts(corpus, held_out):
    """Three beginnings: for docstrings of our own, else from the held-out documents."""
    if corpus is None:
        return ["Return the", "Create a new array", "Raises ValueError if"]
    return beginnings(held_out)


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
