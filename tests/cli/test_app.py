"""The command line: what a person types, and what they read when it goes wrong."""

import json
import re
import subprocess
import sys
from typing import get_args

import pytest
from typer.testing import CliRunner

from keras_lm import models, pipelines, text, training
from keras_lm.cli.app import AttentionName, Metric, Quantization, Tokenize, app
from keras_lm.export.export_litert import SPREADS
from keras_lm.layers.choose_attention import ATTENTIONS
from keras_lm.training.compare_texts import METRICS, TOKENIZERS

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
    for command in (
        "demo",
        "generate",
        "score",
        "export",
        "evaluate",
        "train",
        "translate",
    ):
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
        (["score", ".", "text"], "pipeline.json"),
        (["export", "nowhere", "--litert", "x.tflite"], "which is not there"),
        (["demo", "--corpus", "nowhere.txt"], "nowhere.txt"),
        (["evaluate", "--hypotheses", "nowhere", "--references", "x"], "nowhere"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(command, told):
    result = run.invoke(app, command)
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output


def test_other_pipelines_are_refused(tmp_path):
    (tmp_path / "pipeline.json").write_text('{"pipeline": "TextToText"}')
    for command in (["generate", str(tmp_path)], ["score", str(tmp_path), "text"]):
        result = run.invoke(app, command)
        assert result.exit_code == 1
        assert "must hold a `TextGenerator`" in result.output


def test_export_refuses_what_it_cannot_write(directory, tmp_path):
    there = tmp_path / "there.tflite"
    there.touch()
    for options, told in [
        ([f"--litert={there}"], "`--litert` must not exist, or --overwrite be given"),
        ([f"--litert={tmp_path / 'x'}"], "`--litert` must end in .tflite"),
        ([f"--saved-model={there}"], "`--saved-model` must be a folder"),
    ]:
        result = run.invoke(app, ["export", str(directory), *options])
        assert result.exit_code == 1
        assert told in result.output


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["demo", "--attention", "quantum"], "multi_head"),
        (["demo", "--steps", "0"], "--steps"),
        (["train", __file__, "--out=x", "--max-length=1"], "--max-length"),
        (["generate", "nowhere", "--top-p", "0"], "above 0"),
        (["generate", "nowhere", "--temperature=-1"], "--temperature"),
        (["generate", "nowhere", "--top-p=0.5"], "--temperature above 0"),
        (["generate", "nowhere", "--seed=0"], "--temperature above 0"),
        (["export", "x", "--saved-model=x", "--overwrite"], "for --litert"),
        (["export", "x", "--saved-model=x", "--quantization=float16"], "for --litert"),
        (["export", "nowhere", "--litert=x.tflite", "--quantization=int4"], "float16"),
        (["evaluate", "--hypotheses=x", "--references=x", "--metric=x"], "chrf"),
        (["evaluate", "--hypotheses=x", "--references=x", "--tokenize=x"], "intl"),
    ],
)
def test_options_out_of_range_are_refused_with_what_may_be(command, told):
    result = run.invoke(app, command)
    assert result.exit_code == 2
    assert told in result.output


def test_help_tells_the_defaults():
    shown = {
        command: " ".join(
            re.split("[│\\s]+", run.invoke(app, [command, "--help"]).output)
        )
        for command in ("demo", "generate", "evaluate")
    }
    assert "1200" in shown["demo"]
    assert "docstrings of the installed" in shown["demo"]
    assert "rounded up to whole checkpoints" in shown["demo"]
    assert "what the pipeline says" in shown["generate"]
    assert "bleu and chrf" in shown["evaluate"]


def test_names_are_those_of_the_package():
    assert set(get_args(AttentionName)) == set(ATTENTIONS)
    assert set(get_args(Quantization)) == set(SPREADS)
    assert list(Metric) == list(METRICS)
    assert get_args(Tokenize) == TOKENIZERS


TRAIN_ON_THIS = f"translate train --pairs {__file__} --columns 0 0 --output x".split()
MISTAKES = [
    ["demo", "--corpus", "nowhere.txt"],
    ["demo", "--attention", "quantum"],
    ["generate", "nowhere"],
    ["score", "nowhere", "text"],
    ["export", "nowhere", "--litert", "x.tflite"],
    ["train", "nowhere.txt", "--out", "x"],
    ["train", __file__, "--out", "x", "--heads", "3"],
    ["train", __file__, "--out", "x", "--length", "300"],
    ["train", __file__, "--out", __file__],
    ["translate", "run", "nowhere", "text"],
    ["translate", "train", "--pairs", "nowhere", "--output", "x"],
    [*TRAIN_ON_THIS, "--heads", "3"],
    # Each line of this file is a pair with itself; there are not so many.
    [*TRAIN_ON_THIS, "--held-out", "9000"],
    ["evaluate", "--hypotheses", "nowhere", "--references", "x"],
]


def test_a_mistake_is_told_before_keras_is_imported():
    code = (
        "import json, sys\n"
        "from typer.testing import CliRunner\n"
        "from keras_lm.cli.app import app\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    assert CliRunner().invoke(app, command).exit_code in (1, 2), command\n"
        "    assert 'keras' not in sys.modules, command\n"
    )
    command = [sys.executable, "-c", code, json.dumps(MISTAKES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_the_package_is_the_command():
    command = [sys.executable, "-m", "keras_lm", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "translate" in done.stdout


def test_export_must_be_told_what(directory):
    result = run.invoke(app, ["export", str(directory)])
    assert result.exit_code == 2
    assert "--saved-model" in result.output


def test_a_prompt_too_long_is_told(directory):
    result = run.invoke(app, ["generate", str(directory), "one " * 40])
    assert result.exit_code == 1
    assert "max_sequence_length" in result.output


def test_a_chinese_reference_is_split_into_characters(tmp_path):
    hypotheses, references = tmp_path / "hypotheses", tmp_path / "references"
    hypotheses.write_text("我们今天学习中文。\n", encoding="utf-8")
    references.write_text("我们今天学习英文。\n", encoding="utf-8")
    command = ["evaluate", f"--hypotheses={hypotheses}", f"--references={references}"]

    result = run.invoke(app, [*command, "--metric=bleu"])
    spaces = run.invoke(app, [*command, "--metric=bleu", "--tokenize=13a"])

    note, line = result.output.splitlines()
    assert note.startswith("BLEU's words are zh")
    assert float(line.split()[1]) > 40
    assert "tok:zh" in line
    assert spaces.output.split()[:2] == ["bleu", "0.00"]


def test_evaluate_prints_each_metric_with_its_signature(tmp_path):
    hypotheses, references = tmp_path / "hypotheses", tmp_path / "references"
    hypotheses.write_text("The cat sat on the mat\n我们学习中文\n", encoding="utf-8")
    references.write_text("the cat sat on a mat\n我们学习中文\n", encoding="utf-8")
    command = ["evaluate", f"--hypotheses={hypotheses}", f"--references={references}"]

    result = run.invoke(app, command)
    chosen = run.invoke(
        app,
        [*command, "--metric=rouge", "--metric=bleu", "--lowercase", "--tokenize=zh"],
    )

    assert [line.split()[0] for line in result.output.splitlines()] == ["bleu", "chrf"]
    assert "case:mixed|eff:no|tok:13a" in result.output
    found = training.compare_texts(
        hypotheses.read_text("utf-8").splitlines(),
        references.read_text("utf-8").splitlines(),
        ["rouge", "bleu"],
        lowercase=True,
        tokenize="zh",
    )
    assert chosen.output == "".join(
        f"{name:8}{value:7.2f}  {signature}\n"
        for name, (value, signature) in found.items()
    )


def test_evaluate_tells_what_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("one\ntwo\n")
    (tmp_path / "b").write_text("one\n")
    command = ["evaluate", f"--hypotheses={tmp_path / 'a'}"]

    unequal = run.invoke(app, [*command, f"--references={tmp_path / 'b'}"])
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    missing = run.invoke(app, [*command, f"--references={tmp_path / 'a'}"])
    folder = run.invoke(app, [*command, f"--references={tmp_path}"])

    for result, told in [
        (folder, "must be a file. Received: a folder"),
        (unequal, "same number of lines"),
        (missing, "keras-lm[evaluate]"),
    ]:
        assert result.exit_code == 1
        assert told in result.output
        assert "Traceback" not in result.output
