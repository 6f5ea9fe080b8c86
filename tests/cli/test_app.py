"""The command line: what a person types, and what they read when it goes wrong."""

import pytest
from typer.testing import CliRunner

from keras_lm import models, pipelines, text
from keras_lm.cli.app import app

pytestmark = pytest.mark.once
run = CliRunner()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    tokenizer = text.train_tokenizer(["one two three 一二三"] * 5, 300)
    model = models.TransformerDecoder(
        tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=32,
    )
    path = tmp_path_factory.mktemp("pipelines") / "small"
    pipelines.TextGenerator(model, tokenizer, max_new_tokens=5).save(path)
    return path


def test_help_names_every_command():
    shown = run.invoke(app, ["--help"]).output
    for command in ("demo", "generate", "score", "export"):
        assert command in shown


def test_generate_prints_the_prompt_and_what_the_pipeline_adds(directory):
    expected = pipelines.load(directory)("one 一")
    result = run.invoke(app, ["generate", str(directory), "one 一"])
    assert result.exit_code == 0
    assert result.output == f"one 一{expected}\n"


def test_generate_with_a_seed_draws_the_same_twice(directory):
    command = ["generate", str(directory), "two", "--temperature", "1.5", "--seed", "7"]
    assert run.invoke(app, command).output == run.invoke(app, command).output


def test_score_prints_nats(directory):
    result = run.invoke(app, ["score", str(directory), "one two", ""])
    first, second = result.output.splitlines()
    assert float(first.split()[0]) < 0
    assert float(second.split()[0]) == 0


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["generate", "nowhere"], "pipeline.json"),
        (["score", "nowhere", "text"], "pipeline.json"),
        (["export", "nowhere", "--litert", "x.tflite"], "pipeline.json"),
        (["demo", "--corpus", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(command, told):
    result = run.invoke(app, command)
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output


def test_export_must_be_told_what(directory):
    result = run.invoke(app, ["export", str(directory)])
    assert result.exit_code == 2
    assert "--saved-model" in result.output


def test_a_prompt_too_long_is_told(directory):
    result = run.invoke(app, ["generate", str(directory), "one " * 40])
    assert result.exit_code == 1
    assert "max_sequence_length" in result.output
