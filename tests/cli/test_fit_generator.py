"""fit_generator: a run that was interrupted ends as one that was not."""

import dataclasses
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_lm import training
from keras_lm.cli.fit_generator import cut, fit_generator, validation_perplexity
from keras_lm.cli.report import Report
from keras_lm.layers.choose_attention import ATTENTIONS
from keras_lm.text.document import Document
from tests.cli.test_demo import SENTENCES, TINY
from tests.training.test_distribute import run

SETTINGS = dataclasses.replace(TINY, dropout=0.2, max_sequence_length=32)
DOCUMENTS = [Document(str(n), f"{SENTENCES[n % 3]} Tale {n}.") for n in range(60)]


def fit(folder, documents=DOCUMENTS):
    report = Report(time.perf_counter())
    return fit_generator(SETTINGS, documents, folder, report), report


@pytest.mark.slow_elsewhere
def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path, monkeypatch, capsys):
    whole, report = fit(tmp_path / "whole")

    class Interrupted(training.ResumableCheckpoint):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training, "ResumableCheckpoint", Interrupted)
        fit(tmp_path / "parts")
    resumed, again = fit(tmp_path / "parts")

    assert "Training goes on after epoch 1" in capsys.readouterr().out
    for one, other in zip(
        whole.generator.model.get_weights(),
        resumed.generator.model.get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert again.values == report.values
    measured = validation_perplexity(
        whole.generator.model, whole.generator.tokenizer, whole.held_out, SETTINGS
    )
    assert report.values["perplexity"] == pytest.approx(measured)

    # Other text of the same length is another run.
    fit(tmp_path / "parts", [*DOCUMENTS[:-1], Document("59", "A dog ☂ ran home. Tale")])
    assert "another run's (settings.corpus was" in capsys.readouterr().out


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_attention_trains_and_talks(attention, tmp_path):
    # What it exports is in tests/export/test_text_generator_kind.py.
    settings = dataclasses.replace(TINY, attention=attention, learning_rate=3e-2)
    report = Report(time.perf_counter())

    generator = fit_generator(settings, DOCUMENTS, tmp_path, report).generator

    (block,) = generator.model.blocks
    assert type(block.attention) is ATTENTIONS[attention]
    assert report.values["perplexity"] < 0.5 * generator.tokenizer.vocabulary_size
    answers = generator(["The cat", "春天 🙂", ""], seed=3)
    assert len(answers) == 3 and any(answers)  # one may end at once


@pytest.mark.once
def test_prompts_are_cut_to_what_the_model_holds():
    bytes_as_tokens = SimpleNamespace(encode=lambda prompt: list(prompt.encode()))
    generator = SimpleNamespace(
        model=SimpleNamespace(max_sequence_length=9),
        max_new_tokens=4,
        tokenizer=bytes_as_tokens,
    )
    # 9 - 4 - 1 for the separator: four bytes.
    prompts = ["abcd", "abcde", "猫a", "猫🙂", "🙂", ""]
    assert cut(prompts, generator) == ["abcd", "abcd", "猫a", "猫", "🙂", ""]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow only")
def test_two_mirrored_devices_go_on_as_one_does(tmp_path):
    done = run(["-m", "tests.cli.mirrored_fit", str(tmp_path)])

    assert done.returncode == 0, done.stderr
    assert "Training goes on after epoch 1" in done.stdout
    assert float(done.stdout.splitlines()[-1]) < 1e-5
