"""train: what a person types to train a model on text of their own."""

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keras_lm import pipelines
from keras_lm.cli.app import app
from keras_lm.cli.generator_settings import GeneratorSettings
from tests.cli.test_demo import SENTENCES

pytestmark = pytest.mark.once
run = CliRunner()
TRANSLATE = "translate train --pairs texts/a.txt"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "tales.txt"
    tales = [f"{SENTENCES[n % 3]} Tale {n}." for n in range(120)]
    path.write_text("\n\n".join(tales), encoding="utf-8")
    return path


def test_train_makes_a_pipeline_that_generate_takes(corpus, tmp_path):
    output = tmp_path / "tales"
    sizes = (
        "--layers=1 --width=8 --heads=2 --vocabulary-size=400 --length=13 --dropout=0.1"
        " --batch-size=3 --max-length=16 --steps=4 --checkpoint-every=2 --held-out=0.1"
    )
    paths = [f"--out={output}", f"--checkpoints={tmp_path / 'runs'}"]
    command = ["train", str(corpus), *paths, *sizes.split()]

    trained = run.invoke(app, command)
    told = run.invoke(app, ["generate", str(output), "猫 🙂", "--max-new-tokens=3"])

    assert trained.exit_code == 0, trained.output
    assert "training: 4 steps" in trained.output
    assert f"keras-lm generate {output}" in trained.output
    assert told.exit_code == 0
    assert told.output.startswith("猫 🙂")
    model = pipelines.load(output).model
    assert (model.num_layers, model.hidden_dim, model.dropout) == (1, 8, 0.1)
    assert (model.intermediate_dim, model.max_sequence_length) == (32, 16)
    there = run.invoke(app, command)
    assert there.exit_code == 1
    assert "`--out` must not exist, or --overwrite be given" in there.output


def test_too_little_text_is_told_in_the_words_of_the_shell(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("Too short.", encoding="utf-8")
    result = run.invoke(app, ["train", str(path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "`corpus` must be longer" in result.output


def test_numbers_that_do_not_fit_are_told_by_their_options(corpus, tmp_path):
    command = ["train", str(corpus), "--out", str(tmp_path / "out")]
    for options, told in [
        (["--heads=3"], "`--width` must be a multiple of twice `--heads`"),
        (["--length=300"], "`--max-length` must be at least `--length`"),
    ]:
        result = run.invoke(app, [*command, *options])
        assert result.exit_code == 1
        assert told in result.output


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("train texts --out texts --overwrite", "`corpus` must lie outside `--out`"),
        ("train texts --out . --overwrite", "`corpus` must lie outside `--out`"),
        ("train texts/a.txt --out texts --overwrite", "`corpus` must lie outside"),
        ("train texts --out texts/lm", "`--out` must lie outside `corpus`"),
        ("train texts --out lm --checkpoints texts/x", "`--checkpoints` must lie"),
        ("train texts --out lm --checkpoints lm/x", "outside `--out`"),
        ("train texts --out photos --overwrite", "new, empty or a pipeline"),
        ("demo --corpus texts --output texts/x", "`--output` must lie outside"),
        ("demo --corpus texts --checkpoints texts", "`--checkpoints` must lie outside"),
        ("demo --corpus photos", "new, empty or a pipeline"),
        (f"{TRANSLATE} --output photos --overwrite", "new, empty or a pipeline"),
        (f"{TRANSLATE} --output texts --overwrite", "`--pairs` must lie outside"),
        (f"{TRANSLATE} --output lm --checkpoints lm", "`--checkpoints` must lie"),
    ],
)
def test_nothing_of_the_users_is_replaced_or_littered(
    command, told, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = [
        "texts/a.txt",
        "texts/b.txt",
        "photos/p",
        "saved_models/photos_lm_pipeline/p",
    ]
    for path in map(Path, names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{n}\tText 猫 {n}.\n\n" for n in range(9)))

    result = run.invoke(app, command.split())

    assert result.exit_code == 1
    assert told in result.output
    assert sorted(path for path in names if Path(path).exists()) == sorted(names)
    assert sorted(os.listdir()) == ["photos", "saved_models", "texts"]


def test_workers_that_would_each_train_alone_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    Path("texts").write_text("a\tb\n\n" * 9)
    for command, told in [
        ("train texts --out lm", "must be told --distribute data"),
        ("train texts --out lm --distribute data", "must have KERAS_BACKEND=torch"),
        ("demo --corpus texts", "This command is one process"),
        ("translate train --pairs texts --output lm", "This command is one process"),
    ]:
        result = run.invoke(app, command.split())
        assert result.exit_code == 1
        assert told in result.output


def test_help_tells_the_defaults():
    shown = run.invoke(app, ["train", "--help"]).output
    shown = " ".join(re.split("[│\\s]+", shown))
    settings = GeneratorSettings()
    for number in (settings.steps, settings.learning_rate, settings.vocabulary_size):
        assert f"default: {number}" in shown
