"""train_generator: what is left when the pipeline could not be saved."""

import dataclasses

import pytest

from keras_lm import pipelines
from keras_lm.cli.train_generator import train_generator
from tests.cli.test_demo import SENTENCES, TINY

pytestmark = pytest.mark.once


def test_a_directory_that_is_there_is_not_replaced_unless_told(tmp_path, capsys):
    corpus = tmp_path / "tales"
    corpus.mkdir()
    for n in range(60):
        text = f"{SENTENCES[n % 3]} Tale {n}."
        (corpus / f"{n}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "there").mkdir()
    settings = dataclasses.replace(TINY, epochs=1)
    arguments = settings, corpus, tmp_path / "there", tmp_path / "runs"

    with pytest.raises(FileExistsError, match="must not exist"):
        train_generator(*arguments)
    report = train_generator(*arguments, overwrite=True)

    # Only the saving was left.
    assert ("training", "0 steps, 0 tokens/s") in [row[:2] for row in report.rows]
    assert isinstance(pipelines.load(tmp_path / "there"), pipelines.TextGenerator)
    shown = capsys.readouterr().out
    assert "60 documents" in shown
    assert f"{report.values['perplexity']:.1f}, " in shown
