"""Text classifiers: both exports give the labels and scores that the pipeline gives."""

import json
import math

import keras
import numpy as np
import pytest

from keras_lm import models, pipelines, text
from keras_lm.export import ExportError, export_litert, export_saved_model
from keras_lm.export.hand_over import in_float32
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.text_classifier_kind import litert_signatures, reference, refuse
from tests.checks import assert_close, with_dtype
from tests.export.conftest import (
    PROMPTS,
    TEXTS,
    export_both,
    loaded_signatures,
    lstm_encoder,
)
from tests.export.readme import run_script
from tests.export.test_text_embedder_kind import pretrained_tokenizer
from tests.fakes import random_weights

pytestmark = pytest.mark.slow_elsewhere
LABELS = ["good", "坏", "🙂"]
OTHERS = [*PROMPTS[1:], "a text of many words that loses its end, as it was told"]
PAIRS = list(zip(PROMPTS, OTHERS, strict=True))


def make_text_classifier(tokenizer=None, lstm=False, **options):
    keras.utils.set_random_seed(7)
    if tokenizer is None:
        tokenizer = text.train_tokenizer(TEXTS * 5, 310)
    encoder = models.TransformerEncoder(
        tokenizer.vocabulary_size, 1, 2, 12, 10, 47, pooling="first", num_segments=2
    )
    if lstm:
        encoder = lstm_encoder(tokenizer, num_segments=2)
    model = models.SequenceClassifier(encoder, 3)
    random_weights(model, seed=3)
    return pipelines.TextClassifier(model, tokenizer, LABELS, **options)


@pytest.fixture(scope="module")
def of_pairs():
    options = {"pairs": True, "multi_label": True, "max_length": 11, "truncate": True}
    return make_text_classifier(pretrained_tokenizer(), **options)


@pytest.fixture(scope="module")
def saved_model(of_pairs, tmp_path_factory):
    return export_saved_model(of_pairs, tmp_path_factory.mktemp("pairs") / "c")


@pytest.fixture(scope="module")
def signatures(saved_model):
    yield from loaded_signatures(saved_model.path)


@pytest.fixture(scope="module")
def litert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("litert")
    classifier = make_text_classifier(pairs=True)
    return export_litert(classifier, folder / "c.tflite")


def serve(signatures, *sides):
    import tensorflow as tf

    names = ("text", "text_pair")[: len(sides)]
    given = {name: tf.constant(side, tf.string) for name, side in zip(names, sides)}
    answer = signatures["serving_default"](**given)
    return {name: one.numpy() for name, one in answer.items()}


def decoded(names):
    return [name.decode("utf-8") for name in names]


def test_they_agree_with_the_model_on_this_backend(saved_model, litert):
    for report in (saved_model, litert):
        assert report.agrees
        assert report.largest_difference < 1e-5


def test_the_saved_model_says_what_the_pipeline_says(signatures, of_pairs):
    answer = serve(signatures, PROMPTS, OTHERS)

    scores = answer["scores"]
    assert set(answer) == {"labels", "scores"}  # any number of them, so not one
    assert_close(scores, of_pairs.probabilities(PAIRS))
    assert len(np.unique(scores.round(3), axis=0)) == len(PAIRS)
    assert np.abs(scores.sum(axis=1) - 1).max() > 0.05  # each has its own
    # What a client does, who knows the answer only.
    threshold = float(np.median(scores))
    found = [
        decoded(names[order[row[order] >= threshold]])
        for names, row, order in zip(
            answer["labels"], scores, np.argsort(-scores, axis=1), strict=True
        )
    ]
    assert found == of_pairs.labels_above(PAIRS, threshold)
    nothing = serve(signatures, [], [])
    assert nothing["scores"].shape == nothing["labels"].shape == (0, 3)


def test_names_and_tokenizer_lie_beside(litert):
    about = json.loads(litert.path.with_suffix(".json").read_text("utf-8"))

    assert strange_ops(litert.path.read_bytes()) == set()
    assert litert.path.with_suffix(".tokenizer.model").exists()
    assert about["labels"] == LABELS
    assert about["logits"] == {"shape": [1, 3], "dtype": "float32"}
    assert (about["pairs"], about["segment_ids"]) == (True, True)
    assert (about["max_length"], about["multi_label"]) == (47, False)
    assert about["tokenizer"]["kind"] == "sentencepiece"


def test_the_script_in_the_readme_runs_without_tensorflow_and_keras(litert):
    blocked = ["tensorflow", "keras", "keras_lm", "jax", "torch"]
    pairs = [("中文 ▁ = 👩‍👧", "Returns the"), ("", "def main")]
    classifier = make_text_classifier(pairs=True)

    lines = run_script("classify_text_litert.py", blocked, litert.path, sum(pairs, ()))

    shares = classifier.probabilities(pairs).max(axis=1)
    for line, label, share in zip(lines, classifier(pairs), shares, strict=True):
        assert line.split(" ", 1)[1] == label
        assert float(line.split()[0]) == pytest.approx(share, abs=1e-3)


def test_in_half_precision_it_is_handed_over_in_float32():
    classifier = make_text_classifier()
    half = with_dtype(classifier.model.get_config(), "mixed_bfloat16")
    model = models.SequenceClassifier.from_config(half)
    model.set_weights(classifier.model.get_weights())
    half = pipelines.TextClassifier(model, classifier.tokenizer, LABELS)

    whole = in_float32(half)

    assert np.abs(half.logits(PROMPTS) - classifier.logits(PROMPTS)).max() > 1e-4
    assert_close(whole.logits(PROMPTS), classifier.logits(PROMPTS))


def test_the_file_of_one_text_takes_no_segments():
    classifier = make_text_classifier()
    if keras.backend.backend() == "tensorflow":
        arguments = litert_signatures(classifier)["classify"].structured_input_signature
        assert set(arguments[1]) == {"token_ids", "padding_mask"}
    expected = reference(classifier, None)
    assert set(expected["inputs"]) == {"token_ids", "padding_mask"}


@pytest.mark.slow
@pytest.mark.once
def test_the_other_way_round(of_pairs, tmp_path):
    classifier = make_text_classifier()
    saved_model = export_saved_model(classifier, tmp_path / "c")
    litert = export_litert(of_pairs, tmp_path / "pairs.tflite", "dynamic_int8")

    assert saved_model.agrees
    for signatures in loaded_signatures(saved_model.path):
        answer = serve(signatures, PROMPTS)
        assert decoded(answer["label"]) == classifier(PROMPTS)
        assert [decoded(row) for row in answer["labels"]] == [LABELS] * len(PROMPTS)
        assert_close(answer["scores"], classifier.probabilities(PROMPTS))
    assert (tmp_path / "pairs.tokenizer.json").exists()
    assert litert.largest_difference > 0
    pair = "def", "a b"
    assert (of_pairs.probabilities([pair]) > 0.55).all()
    (line,) = run_script("classify_text_litert.py", [], litert.path, pair)
    assert line.split()[1::2] == LABELS  # each is likely


@pytest.mark.slow
def test_an_lstm_reads_the_texts_as_well(tmp_path):
    pairs = make_text_classifier(lstm=True, pairs=True)
    saved_model = export_both(pairs, tmp_path)

    for signatures in loaded_signatures(saved_model.path):
        for count in (1, len(PROMPTS)):  # of other lengths
            given = list(zip(PROMPTS, PROMPTS[::-1], strict=True))[:count]
            answer = serve(signatures, *map(list, zip(*given, strict=True)))
            assert decoded(answer["label"]) == pairs(given)
            assert_close(answer["scores"], pairs.probabilities(given))


# ----------------------------------------------------------------------- errors


def test_what_cannot_be_exported_is_refused(tmp_path):
    classifier = make_text_classifier()
    classifier.model.head.bias.assign([np.nan] * 3)

    with pytest.raises(ValueError, match="logits must be finite to be exported. Recei"):
        reference(classifier, tmp_path)


CHECKED = {"largest_difference": 1e-7, "greedy_agreement": 0.5, "finite": True}
CHECKED |= {"furthest": ["中"], "agrees": True, "named": ["坏"], "columns": [LABELS]}
EXPECTED = {"labels": LABELS}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"largest_difference": 2e-4}, "scores must be within 0.0001.*'中'"),
        ({"largest_difference": math.nan}, "scores must be within 0.0001"),
        ({"finite": False}, "scores must be within 0.0001"),
        ({"agrees": False}, r"must name the label that the model does.*\['坏'\]"),
        ({"columns": [LABELS[::-1]]}, "give each score with its label.*'🙂', '坏'"),
        ({"columns": [LABELS, ["x"] * 3]}, "give each score with its label"),
    ],
)
def test_a_saved_model_that_disagrees_is_refused(changes, message):
    assert refuse(CHECKED, EXPECTED) == 0.5
    with pytest.raises(ExportError, match=message):
        refuse({**CHECKED, **changes}, EXPECTED)
