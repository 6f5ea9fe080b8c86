"""The command line: what a person types, and what they read when it goes wrong."""

import sys

import pytest
from typer.testing import CliRunner

from keras_lm import models, pipelines, text, training
from keras_lm.cli.app import app
from tests.fakes import SumModel, random_weights

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
    for command in ("demo", "generate", "score", "export", "evaluate", "translate"):
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
        (["translate", "run", "nowhere", "text"], "pipeline.json"),
        (["evaluate", "--hypotheses", "nowhere", "--references", "x"], "nowhere"),
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


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    tokenizer = text.train_tokenizer(["one two three 一二三"] * 5, 300)
    size = tokenizer.vocabulary_size
    model = SumModel(size, size)
    random_weights(model, seed=1)
    path = tmp_path_factory.mktemp("pipelines") / "pairs"
    pipelines.TextToText(model, tokenizer, tokenizer, max_new_tokens=5).save(path)
    return path


def one_line(answer):
    return " ".join(answer.split("\n"))


def test_translate_prints_an_answer_for_each_text_or_line(translator):
    pipeline = pipelines.load(translator)
    texts = ["one 一", "", "two"]
    expected = [one_line(answer) for answer in pipeline(texts, beam_size=2)]
    command = ["translate", "run", str(translator), "--beam-size", "2"]

    given = run.invoke(app, [*command, *texts])
    lines = run.invoke(app, command, input="one 一\n\ntwo\r\n")

    assert given.exit_code == lines.exit_code == 0
    assert given.output == lines.output == "\n".join([*expected, ""])


def test_translate_prints_scores_of_several_answers(translator):
    result = run.invoke(app, ["translate", "run", str(translator), "one", "--n-best=2"])

    answers = pipelines.load(translator).n_best(["one"], 2)[0]
    lines = [f"{one.score:10.4f}  {one_line(one.text)}" for one in answers]
    assert result.output == "\n".join([*lines, ""])


def test_translate_takes_no_other_pipeline(directory):
    result = run.invoke(app, ["translate", "run", str(directory), "one"])
    assert result.exit_code == 1
    assert "must hold a `TextToText`" in result.output


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
    unknown = run.invoke(
        app, [*command, f"--references={tmp_path / 'a'}", "--metric=x"]
    )
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    missing = run.invoke(app, [*command, f"--references={tmp_path / 'a'}"])

    for result, told in [
        (unequal, "same number of lines"),
        (unknown, "`metrics` must be a list of names"),
        (missing, "keras-lm[evaluate]"),
    ]:
        assert result.exit_code == 1
        assert told in result.output
        assert "Traceback" not in result.output
