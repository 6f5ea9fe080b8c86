"""translate: what a person types to train a translator and to ask it."""

import pytest
from typer.testing import CliRunner

from keras_lm import pipelines, text
from keras_lm.cli.app import app
from tests.fakes import SumModel, random_weights

pytestmark = pytest.mark.once
run = CliRunner()


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


def test_translate_takes_no_other_pipeline(tmp_path):
    (tmp_path / "pipeline.json").write_text('{"pipeline": "TextGenerator"}')
    for directory, told in [
        (tmp_path, "must hold a `TextToText`"),
        (tmp_path / "nowhere", "which is not there"),
    ]:
        result = run.invoke(app, ["translate", "run", str(directory), "one"])
        assert result.exit_code == 1
        assert told in result.output


def test_more_answers_than_beams_are_refused():
    result = run.invoke(app, ["translate", "run", "nowhere", "one", "--n-best=5"])
    assert result.exit_code == 2
    assert "--beam-size" in result.output
