"""train_translator, from pairs to a pipeline, with tiny models."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from keras_lm import pipelines
from keras_lm.cli import train_translator as module
from keras_lm.cli.split_pairs import split_pairs
from keras_lm.cli.train_translator import train_translator
from keras_lm.cli.translator_settings import TranslatorSettings
from keras_lm.training.compare_texts import TextMetric

WORDS = dict(zip("猫狗鸟鱼马牛羊🙂", "cat dog bird fish horse cow sheep 🙂".split()))
PLACES = dict(zip("东西南北上下里外", "east west south north up down in out".split()))
PAIRS = [
    (f"{thing}在{place}。", f"the {WORDS[thing]} is {PLACES[place]}")
    for thing, place in itertools.product(WORDS, PLACES)
]
TINY = TranslatorSettings(
    num_layers=1,
    hidden_dim=8,
    num_heads=2,
    vocabulary_size=300,
    max_length=24,
    max_batch_tokens=600,
    epochs=3,
    average_last=2,
    num_held_out=5,
)


def weights_of(directory):
    return pipelines.load(directory).model.get_weights()


def mean_told(shown):
    return [line for line in shown.splitlines() if line.startswith("The mean of")]


def be_killed(*arguments):
    raise KeyboardInterrupt


@pytest.mark.slow_elsewhere
def test_pairs_become_a_pipeline_and_an_interrupted_run_the_same(
    tmp_path, capsys, monkeypatch
):
    long = [("长" * 30, "0123456789 " * 9)]

    report = train_translator(
        TINY, PAIRS + long, tmp_path / "whole", tmp_path / "checkpoints"
    )

    shown = capsys.readouterr().out
    assert "1 of 60 pairs are left out: 1 longer than" in shown
    assert report.bleu.signature in shown
    assert f"{report.perplexity:.2f} per token" in shown
    assert report.loss == pytest.approx(math.log(report.perplexity))
    assert 1 < report.perplexity < 301
    translator = pipelines.load(tmp_path / "whole")
    assert isinstance(translator, pipelines.TextToText)
    assert isinstance(translator("猫在东。🙂"), str)
    mean = mean_told(shown)
    assert mean[0].startswith("The mean of the last 2 epochs: held-out BLEU")

    def tell_or_be_killed(message):
        if message.startswith("Epoch 3"):
            be_killed()
        tell(message)

    arguments = (TINY, PAIRS + long, tmp_path / "parts", tmp_path / "checkpoints")
    tell = module.tell
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "tell", tell_or_be_killed)
        train_translator(*arguments)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "measure", be_killed)
        train_translator(*arguments)
    shown = capsys.readouterr().out
    assert "Training goes on after epoch 2" in shown
    assert mean_told(shown) == mean
    assert not (tmp_path / "parts").exists()

    resumed = train_translator(*arguments)

    shown = capsys.readouterr().out
    assert "Training goes on after epoch 3" in shown
    assert mean_told(shown) == mean
    assert (resumed.bleu, resumed.kept) == (report.bleu, report.kept)
    assert not list((tmp_path / "checkpoints").glob("*/last"))
    for one, other in zip(
        weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts"), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.once
def test_a_run_that_had_stopped_before_it_was_killed_trains_no_more(
    tmp_path, capsys, monkeypatch
):
    settings = dataclasses.replace(TINY, learning_rate=1e-30, epochs=9, patience=1)
    arguments = (settings, PAIRS, tmp_path / "made", tmp_path / "checkpoints")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "measure", be_killed)
        train_translator(*arguments)
    mean = mean_told(capsys.readouterr().out)

    report = train_translator(*arguments)

    shown = capsys.readouterr().out
    assert "Training goes on after epoch 2" in shown
    assert "Epoch 3" not in shown
    assert mean_told(shown) == mean != []
    assert report.kept == "epoch 1"


@pytest.mark.once
@pytest.mark.parametrize(
    ("bleu", "kept"), [(0.9, "epoch"), (1.5, "the mean of the last 2 epochs")]
)
def test_the_mean_is_kept_where_its_bleu_is_better_and_above_1(
    tmp_path, monkeypatch, bleu, kept
):
    settings = dataclasses.replace(TINY, epochs=2)
    found = TextMetric(bleu, "signature")
    monkeypatch.setattr(module, "compare", lambda translate, held_out: found)

    report = train_translator(settings, PAIRS, tmp_path / "made", tmp_path / "runs")

    assert report.kept.startswith(kept)


@pytest.mark.once
def test_an_lstm_is_trained_too_and_a_chinese_target_has_its_words(tmp_path, capsys):
    settings = dataclasses.replace(TINY, model="lstm", epochs=1)
    pairs = [(target, source) for source, target in PAIRS]

    report = train_translator(settings, pairs, tmp_path / "lstm", tmp_path / "runs")

    assert "tok:zh" in report.bleu.signature
    assert report.kept == "epoch 1"
    model = pipelines.load(tmp_path / "lstm").model
    assert type(model).__name__ == "LSTMEncoderDecoder"
    assert "longer" not in capsys.readouterr().out


@pytest.mark.once
def test_a_directory_that_is_there_is_not_replaced_unless_told(tmp_path):
    settings = dataclasses.replace(TINY, epochs=1)
    (tmp_path / "there").mkdir()
    arguments = settings, PAIRS, tmp_path / "there", tmp_path / "runs"

    with pytest.raises(FileExistsError, match="must not exist"):
        train_translator(*arguments)
    train_translator(*arguments, overwrite=True)  # goes on: only the saving is left

    assert isinstance(pipelines.load(tmp_path / "there"), pipelines.TextToText)


@pytest.mark.slow
@pytest.mark.once
def test_it_learns_to_put_together_what_it_saw_apart(tmp_path):
    colours = dict(zip("红黄蓝绿黑白", "red yellow blue green black white".split()))
    pairs = [
        (f"{colour}{source}", target.replace("the", f"the {colours[colour]}"))
        for colour, (source, target) in itertools.product(colours, PAIRS)
    ]
    settings = dataclasses.replace(
        TINY,
        hidden_dim=64,
        vocabulary_size=400,  # most words are tokens
        dropout=0.1,
        learning_rate=3e-3,
        epochs=25,
        num_held_out=20,
    )

    report = train_translator(settings, pairs, tmp_path / "made", tmp_path / "runs")

    assert report.bleu.value > 90
    translator = pipelines.load(tmp_path / "made")
    _, held_out = split_pairs(pairs, 20)
    assert module.compare(translator, held_out) == report.bleu
