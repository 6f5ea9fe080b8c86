"""The demo, from a text file to two exports that agree, with a tiny model."""

import dataclasses

import keras
import pytest

from keras_lm import pipelines
from keras_lm.cli.demo import run_demo
from keras_lm.cli.generator_settings import GeneratorSettings

TINY = GeneratorSettings(
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
def test_a_text_file_becomes_a_model_and_two_exports_that_agree(
    corpus, tmp_path, capsys
):
    output, checkpoints = tmp_path / "saved_models", tmp_path / "checkpoints"
    large = dataclasses.replace(TINY, batch_size=1536)  # more than the corpus fills

    report = run_demo(large, corpus, output, checkpoints)

    told = {row[0]: row for row in report.rows}
    assert report.agrees
    assert told["saved_model"][3] == told["litert"][3] == "agrees"
    assert (output / "tales_lm" / "1" / "saved_model.pb").is_file()
    assert (output / "tales_lm.tflite").is_file()
    generator = pipelines.load(output / "tales_lm_pipeline")
    assert isinstance(generator("The cat"), str)
    assert report.values["perplexity"] > 1
    characters = len(corpus.read_text("utf-8"))
    assert told["corpus"][1].startswith(f"{characters:,} characters in ")
    shown = capsys.readouterr().out
    assert "x 13 tokens and not 1536 x 13" in " ".join(shown.split())
    assert shown.count("beginning (bold)") == 3
    runs = [path.name for path in checkpoints.iterdir()]
    assert runs == [f"tales_lm_{keras.backend.backend()}"]


@pytest.mark.once
def test_an_empty_corpus_is_refused(tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("  \n", encoding="utf-8")
    with pytest.raises(ValueError, match="Received"):
        run_demo(TINY, path, tmp_path, tmp_path)


@pytest.mark.once
def test_a_corpus_below_the_smallest_batches_is_refused(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("Too short.\n\nThis too.", encoding="utf-8")
    with pytest.raises(ValueError, match="`corpus` must be longer"):
        run_demo(TINY, path, tmp_path, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_demo_is_far_below_the_bigram_model(tmp_path):
    report = run_demo(
        GeneratorSettings(), None, tmp_path / "exports", tmp_path / "checkpoints"
    )

    assert report.agrees
    assert report.values["perplexity"] < 0.7 * report.values["bigram"]
