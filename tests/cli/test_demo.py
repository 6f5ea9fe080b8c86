"""The demo, from a text file to two exports that agree, with a tiny model."""

import dataclasses

import keras
import pytest

from keras_lm import pipelines
from keras_lm.cli.demo import Settings, run_demo

TINY = Settings(
    vocabulary_size=400,
    sequence_length=13,
    batch_size=3,
    num_layers=1,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=16,
    max_sequence_length=96,
    steps_per_epoch=5,
    epochs=2,
    warmup_steps=2,
)
SENTENCES = ["The cat sat on the mat.", "春天来了，花开了。", "A dog 🙂 ran home."]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "tales.txt"
    tales = [f"{SENTENCES[n % 3]} Tale {n}." for n in range(120)]
    path.write_text("\n\n".join(tales), encoding="utf-8")
    return path


@pytest.mark.slow_elsewhere
def test_a_text_file_becomes_a_model_and_two_exports_that_agree(corpus, tmp_path):
    output, checkpoints = tmp_path / "saved_models", tmp_path / "checkpoints"

    report = run_demo(TINY, corpus, output, checkpoints)

    told = {row[0]: row for row in report.rows}
    assert report.agrees
    assert told["saved_model"][3] == told["litert"][3] == "agrees"
    assert (output / "tales_lm" / "1" / "saved_model.pb").is_file()
    assert (output / "tales_lm.tflite").is_file()
    generator = pipelines.load(output / "tales_lm_pipeline")
    assert isinstance(generator("The cat"), str)
    assert report.values["perplexity"] > 1
    runs = [path.name for path in checkpoints.iterdir()]
    assert runs == [f"tales_lm_{keras.backend.backend()}"]


@pytest.mark.once
def test_an_empty_corpus_is_refused(tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("  \n", encoding="utf-8")
    with pytest.raises(ValueError, match="Received"):
        run_demo(TINY, path, tmp_path, tmp_path)


@pytest.mark.once
def test_a_corpus_below_one_batch_is_refused(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("Too short.\n\nThis too.", encoding="utf-8")
    large = dataclasses.replace(TINY, sequence_length=50, batch_size=70)
    with pytest.raises(ValueError, match="Received"):
        run_demo(large, path, tmp_path, tmp_path)


@pytest.mark.once
def test_fewer_steps_keep_a_warm_up_below_them():
    for steps in (1, 2, 7, 1000):
        settings = TINY.with_steps(steps)
        total = settings.steps_per_epoch * settings.epochs
        assert total >= steps
        assert settings.warmup_steps < max(total, 2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_demo_is_far_below_the_bigram_model(tmp_path):
    report = run_demo(Settings(), None, tmp_path / "exports", tmp_path / "checkpoints")

    assert report.agrees
    assert report.values["perplexity"] < 0.7 * report.values["bigram"]
