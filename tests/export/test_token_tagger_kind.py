"""Token taggers: both exports give the labels and scores that the pipeline gives."""

import json
import math

import keras
import numpy as np
import pytest

from keras_lm import models, pipelines, text
from keras_lm.export import ExportError, export_litert, export_saved_model
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.token_tagger_kind import litert_signatures, reference, refuse
from tests.checks import assert_close
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
LABELS = ["O", "B-人", "I-人", "B-X", "I-X"]
# "" has no word that could be a predicate.
OTHERS = [
    "Returns the sum",
    "中文和 emoji 👩‍👧",
    b"bad \xff\xc3 bytes",
    "a ▁\x1b \u200b b",
]
OTHERS += ["a text of many words that loses its end, as it was told"]
PLACES = [2, 1, 0, 3, 4]


def make_tagger(tokenizer=None, lstm=False, **options):
    keras.utils.set_random_seed(7)
    if tokenizer is None:
        tokenizer = text.train_tokenizer(TEXTS * 5, 310)
    encoder = models.TransformerEncoder(
        tokenizer.vocabulary_size, 1, 2, 12, 10, 47, num_segments=2
    )
    if lstm:
        encoder = lstm_encoder(tokenizer, num_segments=2)
    model = models.TokenClassifier(encoder, 5)
    random_weights(model, seed=3)
    return pipelines.TokenTagger(model, tokenizer, LABELS, **options)


@pytest.fixture(scope="module")
def of_roles():
    options = {"marks_predicate": True, "max_length": 11, "truncate": True}
    return make_tagger(pretrained_tokenizer(), **options)


@pytest.fixture(scope="module")
def saved_model(of_roles, tmp_path_factory):
    return export_saved_model(of_roles, tmp_path_factory.mktemp("roles") / "t")


@pytest.fixture(scope="module")
def signatures(saved_model):
    yield from loaded_signatures(saved_model.path)


@pytest.fixture(scope="module")
def litert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("litert")
    return export_litert(make_tagger(marks_predicate=True), folder / "t.tflite")


def serve(signatures, texts, predicate=None):
    import tensorflow as tf

    given = {"text": tf.constant(texts, tf.string)}
    if predicate is not None:
        given["predicate"] = tf.constant(predicate, tf.int32)
    answer = signatures["serving_default"](**given)
    words, labels = (
        [[one.decode("utf-8") for one in row if one] for row in answer[name].numpy()]
        for name in ("words", "labels")
    )
    return words, labels, answer["scores"].numpy()


def check_same(signatures, tagger, *given):
    words, labels, scores = serve(signatures, *given)

    assert labels == tagger.tags(*given)
    assert words == [
        [word.text for word in text.split_words(one, tagger.split)] for one in given[0]
    ]
    shares = tagger.log_probabilities(*given)
    for row, score, share in zip(labels, scores, shares, strict=True):
        places = [LABELS.index(label) for label in row[: len(share)]]
        assert_close(score[: len(share)], np.exp(share[range(len(share)), places]))
        assert not score[len(share) :].any()
    assert len({tuple(row) for row in labels}) > 2


def test_they_agree_with_the_model_on_this_backend(saved_model, litert):
    for report in (saved_model, litert):
        assert report.agrees
        assert report.largest_difference < 1e-5


def test_the_saved_model_says_what_the_pipeline_says(signatures, of_roles):
    check_same(signatures, of_roles, OTHERS, PLACES)

    (share,) = of_roles.log_probabilities(OTHERS[-1:], PLACES[-1:])
    assert len(share) < 12  # of its words some are cut off
    assert serve(signatures, [], [])[1] == []


def test_names_and_tokenizer_lie_beside(litert):
    about = json.loads(litert.path.with_suffix(".json").read_text("utf-8"))

    assert strange_ops(litert.path.read_bytes()) == set()
    assert litert.path.with_suffix(".tokenizer.model").exists()
    assert (about["signatures"], about["labels"]) == (["tag"], LABELS)
    assert about["logits"] == {"shape": [1, None, 5], "dtype": "float32"}
    assert (about["split"], about["marks"]) == ("words", True)
    assert (about["max_length"], about["truncate"]) == (47, False)
    rules = about["tokenizer"]
    assert (rules["kind"], rules["joiner"]) == ("sentencepiece", " ")
    assert (rules["before"], rules["behind"]) == ([], [rules["separator_id"]])
    assert rules["unknown_id"] == 2


def check_script(path, tagger, texts, *predicates):
    """The script of saved_models/README.md finds the spans that the pipeline finds."""
    blocked = ["tensorflow", "keras", "keras_lm", "jax", "torch"]
    given = [str(one) for row in zip(texts, *predicates, strict=True) for one in row]

    lines = run_script("tag_litert.py", blocked, path, given, most_lines=75)

    found, tags = tagger(texts, *predicates), tagger.tags(texts, *predicates)
    assert lines == ["; ".join(f"{s.label}: {s.text}" for s in row) for row in found]
    assert any(label[0] == "I" for row in tags for label in row)
    # The likeliest label of each word by itself would not do.
    shares = tagger.log_probabilities(texts, *predicates)
    assert tags != [[LABELS[n] for n in row.argmax(axis=-1)] for row in shares]


def test_the_script_in_the_readme_runs_without_tensorflow_and_keras(litert):
    texts = ["中文 和 ▁ emoji 👩‍👧 = \x1b", "Returns the  sum of two values", "main"]
    tagger = make_tagger(marks_predicate=True)

    check_script(litert.path, tagger, texts, [4, 0, 0])


def test_who_is_told_no_predicate_takes_no_marks():
    tagger = make_tagger()
    if keras.backend.backend() == "tensorflow":
        arguments = litert_signatures(tagger)["tag"].structured_input_signature
        assert set(arguments[1]) == {"token_ids", "padding_mask"}
    expected = reference(tagger, None)
    assert set(expected["inputs"]) == {"token_ids", "padding_mask"}
    assert "predicates" not in expected
    assert (
        len(expected["texts"])
        == len(reference(make_tagger(marks_predicate=True), None)["texts"]) + 1
    )
    assert expected["texts"][-1] == ""
    assert len(expected["words"][0]) > 1  # of the text that is also run alone


@pytest.mark.slow
@pytest.mark.once
def test_the_other_way_round(of_roles, tmp_path):
    tagger = make_tagger(split="characters")
    saved_model = export_saved_model(tagger, tmp_path / "t")
    litert = export_litert(of_roles, tmp_path / "roles.tflite", "dynamic_int8")

    assert saved_model.agrees
    for signatures in loaded_signatures(saved_model.path):
        check_same(signatures, tagger, PROMPTS)
    assert (tmp_path / "roles.tokenizer.json").exists()
    assert litert.largest_difference > 0


@pytest.mark.slow
@pytest.mark.once
def test_lstms_tag_as_well(tmp_path):
    tagger = make_tagger(lstm=True, marks_predicate=True)
    saved_model = export_both(tagger, tmp_path)

    for signatures in loaded_signatures(saved_model.path):
        check_same(signatures, tagger, OTHERS[:4], PLACES[:4])


@pytest.mark.slow
@pytest.mark.once
def test_the_script_reads_characters_with_a_pretrained_tokenizer(tmp_path):
    tagger = make_tagger(pretrained_tokenizer(), split="characters")
    export_litert(tagger, tmp_path / "t.tflite")

    check_script(
        tmp_path / "t.tflite", tagger, ["", "中\u200b文 🙂", "Returns the sum 的 数组"]
    )


# ----------------------------------------------------------------------- errors


def test_what_cannot_be_exported_is_refused(tmp_path):
    tagger = make_tagger()
    tagger.model.head.bias.assign([np.nan] * 5)

    with pytest.raises(ValueError, match="logits must be finite to be exported. Recei"):
        reference(tagger, tmp_path)
    with pytest.raises(ValueError, match="must fit the pipeline to be exported. Recei"):
        reference(make_tagger(marks_predicate=True, max_length=2), tmp_path)


CHECKED = {"largest_difference": 1e-7, "greedy_agreement": 0.5, "finite": True}
CHECKED |= {"furthest": "中", "agrees": True, "named": [["B-人"]]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"largest_difference": 2e-4}, "scores must be within 0.0001.*'中'"),
        ({"largest_difference": math.nan}, "scores must be within 0.0001"),
        ({"finite": False}, "scores must be within 0.0001"),
        ({"agrees": False}, r"must label the words as the model does.*\['B-人'\]"),
    ],
)
def test_a_saved_model_that_disagrees_is_refused(changes, message):
    assert refuse(CHECKED, {}) == 0.5
    with pytest.raises(ExportError, match=message):
        refuse({**CHECKED, **changes}, {})
