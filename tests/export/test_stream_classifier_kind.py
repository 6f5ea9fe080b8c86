"""Stream classifiers: both exports answer as the pipeline does, whatever is missing."""

import itertools
import json
import math

import numpy as np
import pytest

from keras_lm import pipelines
from keras_lm.export import ExportError, export_litert, export_saved_model
from keras_lm.export.check_stream_classifier import LiteRTClassifier
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.stream_classifier_kind import reference, refuse
from tests.checks import assert_close
from tests.export.conftest import make_classifier
from tests.export.readme import run_script

pytestmark = pytest.mark.slow_elsewhere

rng = np.random.default_rng(seed=0)
NAMES = ("photo", "sound", "title")
# Chinese, emoji, nothing, bytes that are no UTF-8, SentencePiece's own space sign.
TITLES = ["Returns", "中文 👩‍👧", "", b"bad \xff\xc3", "▁\x1b b"]
PHOTOS = rng.random((5, 8, 6, 1)).astype("float32")
SOUNDS = rng.normal(size=(5, 90)).astype("float32")
INPUTS = {"photo": PHOTOS, "sound": SOUNDS, "title": TITLES}
# Every stream missing in turn, each alone, none there.
PRESENCE = list(itertools.product([True, False], repeat=3))


def served(signatures, inputs, present):
    """`(labels, columns, scores)`; `present` has a bool for each stream."""
    import tensorflow as tf

    arguments = {name: tf.constant(inputs[name]) for name in NAMES}
    size = [len(inputs["title"])]
    for name, there in zip(NAMES, present):
        arguments[f"{name}_present"] = tf.fill(size, there)
    answer = signatures["serving_default"](**arguments)
    labels = [label.decode("utf-8") for label in answer["label"].numpy()]
    rows = answer["labels"].numpy()
    columns = [[label.decode("utf-8") for label in row] for row in rows]
    return labels, columns, answer["scores"].numpy()


def with_missing(inputs, present):
    """As the pipeline is told; where nothing is there, `None` says of how many."""
    there = {
        name: inputs[name] if is_there else None
        for name, is_there in zip(NAMES, present)
    }
    return there if any(present) else {"title": [None] * len(inputs["title"])}


@pytest.mark.parametrize("report", ["classifier_saved_model", "classifier_litert"])
def test_they_agree_with_the_model_on_this_backend(report, request):
    report = request.getfixturevalue(report)

    assert report.agrees
    assert report.largest_difference < 1e-4
    assert report.size_bytes > 10_000


@pytest.mark.parametrize("present", PRESENCE)
def test_the_saved_model_says_what_the_pipeline_says(
    classifier_signatures, classifier, present
):
    inputs = with_missing(INPUTS, present)

    labels, columns, scores = served(classifier_signatures, INPUTS, present)

    assert labels == classifier(inputs)
    assert columns == [classifier.labels] * len(TITLES)
    assert_close(scores, classifier.probabilities(inputs))


@pytest.mark.parametrize("present", PRESENCE)
def test_the_litert_file_says_what_the_pipeline_says(
    classifier_litert, classifier, present
):
    inputs = with_missing(INPUTS, present)
    lite = LiteRTClassifier(classifier_litert.path)
    titles = [one if isinstance(one, bytes) else one.encode() for one in TITLES]
    rows = zip(PHOTOS, SOUNDS, titles)

    logits = [
        lite.logits({n: one for n, one, p in zip(NAMES, row, present) if p})
        for row in rows
    ]

    assert_close(np.stack(logits), classifier.logits(inputs), 1e-4)


def test_answers_differ_from_example_to_example(classifier):
    # Or the tests above would say little.
    rows = np.concatenate(
        [classifier.probabilities(with_missing(INPUTS, p)) for p in PRESENCE[:-1]]
    )
    assert len(np.unique(rows.round(3), axis=0)) > len(rows) * 0.6
    assert len(set(rows.argmax(axis=-1))) > 1


def test_a_batch_of_nothing_is_answered(classifier_signatures):
    inputs = {"photo": PHOTOS[:0], "sound": SOUNDS[:0], "title": np.array([], "S1")}

    labels, columns, scores = served(classifier_signatures, inputs, [True] * 3)

    assert labels == columns == []
    assert scores.shape == (0, 4)


def test_a_text_that_is_too_long_is_an_error_in_our_words(
    classifier_signatures, classifier
):
    import tensorflow as tf

    words = "title.* must have at most 29 tokens"
    long = {**INPUTS, "title": ["a", "b", "\0" * 30, "c", "d"]}
    fits = {**INPUTS, "title": ["a", "b", "\0" * 29, "c", "d"]}
    served(classifier_signatures, fits, [True, True, True])

    with pytest.raises(ValueError, match=words):
        classifier(long)
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        served(classifier_signatures, long, [True, True, True])


def test_names_labels_and_tokenizer_lie_beside(classifier_litert, classifier):
    path = classifier_litert.path
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    proto = path.with_suffix(".tokenizer.model").read_bytes()

    assert strange_ops(path.read_bytes()) == set()
    assert proto == classifier.tokenizer.model_proto
    assert about["labels"] == classifier.labels
    assert about["streams"] == {
        "photo": {"kind": "image", "shape": [1, 8, 6, 1], "dtype": "float32"},
        "sound": {"kind": "audio", "shape": [1, 90], "dtype": "float32"},
        "title": {"kind": "text", "shape": [1, 29], "dtype": "int32"},
    }


def test_the_script_in_the_readme_runs_without_tensorflow_and_keras(
    classifier_litert, classifier, tmp_path
):
    np.save(tmp_path / "photo.npy", PHOTOS[0])
    np.save(tmp_path / "sound.npy", SOUNDS[0])
    blocked = ["tensorflow", "keras", "keras_lm", "jax", "torch"]
    arguments = [f"photo={tmp_path / 'photo.npy'}", f"sound={tmp_path / 'sound.npy'}"]
    arguments += ["title=中文 ▁ = 👩‍👧"]
    whole = {"photo": PHOTOS[:1], "sound": SOUNDS[:1], "title": ["中文 ▁ = 👩‍👧"]}

    for given in (arguments, arguments[2:]):  # all three streams; the text alone
        names = [one.split("=")[0] for one in given]
        inputs = {name: whole[name] for name in names}
        [shares] = classifier.probabilities(inputs)
        lines = run_script("classify_litert.py", blocked, classifier_litert.path, given)
        pairs = [line.split(" ", 1) for line in lines]

        assert sorted(label for _, label in pairs) == sorted(classifier.labels)
        assert pairs[0][1] == classifier(inputs)[0]
        for share, label in pairs:
            expected = shares[classifier.labels.index(label)]
            assert float(share) == pytest.approx(expected, abs=1e-3)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["float16", "dynamic_int8"])
def test_quantised_files_are_close(classifier, tmp_path, quantization):
    report = export_litert(classifier, tmp_path / "small.tflite", quantization)

    assert report.quantization == quantization
    assert 0 < report.largest_difference < 0.5


@pytest.mark.slow
@pytest.mark.once
def test_without_a_tokenizer_a_text_is_token_ids(tmp_path):
    spec = {"kind": "text", "vocabulary_size": 310, "max_length": 7}
    model = make_classifier(title=spec).model
    classifier = pipelines.StreamClassifier(model, ["a", "b", "c", "d"])

    saved_model = export_saved_model(classifier, tmp_path / "texts")
    litert = export_litert(classifier, tmp_path / "texts.tflite")

    assert saved_model.agrees
    assert litert.agrees
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "texts",
        "texts.json",
        "texts.tflite",
    ]


# -------------------------------------------------------------------- reference


def test_every_stream_is_missing_once_and_alone_once(classifier, tmp_path):
    expected = reference(classifier, tmp_path)
    arrays = np.load(expected["arrays_path"])
    present = np.stack([arrays[f"{name}_present"] for name in NAMES], axis=1)

    assert json.loads(json.dumps(expected)) == expected
    assert {tuple(row) for row in present.tolist()} == set(PRESENCE)
    for row in (0, 1, len(present) - 1):
        texts = [expected["texts"]["title"][row].encode("utf-8", "surrogateescape")]
        inputs = {"photo": arrays["photo"][row][None], "title": texts}
        inputs["sound"] = arrays["sound"][row][None]
        logits = classifier.logits(with_missing(inputs, present[row]))
        assert_close(logits[0], expected["logits"][row])


# ----------------------------------------------------------------------- errors


def test_a_name_that_is_no_word_is_refused(tmp_path):
    spec = {"kind": "text", "vocabulary_size": 310, "max_length": 7}
    classifier = make_classifier(**{"my title": spec})

    with pytest.raises(ValueError, match="must have a name of letters, digits and _"):
        export_litert(classifier, tmp_path / "c.tflite")

    assert list(tmp_path.iterdir()) == []


def test_logits_that_are_not_finite_are_refused(tmp_path):
    classifier = make_classifier()
    classifier.model.head.bias.assign([0.0, np.nan, 0.0, 0.0])

    with pytest.raises(ValueError, match="logits must be finite to be exported"):
        reference(classifier, tmp_path)


CHECKED = {"largest_difference": 1e-7, "greedy_agreement": 1.0, "finite": True}
CHECKED |= {"agrees": True, "named": ["cat"], "columns": [["cat", "猫"]]}
EXPECTED = {"labels": ["cat", "猫"]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"largest_difference": 2e-4}, "scores must be within 0.0001 of the model's"),
        ({"largest_difference": math.nan}, "scores must be within 0.0001"),
        ({"finite": False}, "scores must be within 0.0001"),
        ({"agrees": False}, "must name the label that the model does"),
        ({"columns": [["猫", "cat"]]}, "must give each score with its label"),
    ],
)
def test_a_saved_model_that_disagrees_is_refused(changes, words):
    assert refuse(CHECKED, EXPECTED) == 1.0
    with pytest.raises(ExportError, match=words):
        refuse({**CHECKED, **changes}, EXPECTED)
