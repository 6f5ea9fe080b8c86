"""StreamClassifier: labels as the model gives them, whatever is missing; errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.models import MultimodalClassifier
from keras_lm.pipelines import StreamClassifier, load
from tests.checks import assert_close
from tests.fakes import random_weights
from tests.text.samples import TOKENIZER

rng = np.random.default_rng(seed=0)
LABELS = ["cat", "dog", "猫"]
STREAMS = {
    "photo": {"kind": "image", "shape": [4, 2, 1], "patch_size": 2},
    "title": {
        "kind": "text",
        "vocabulary_size": TOKENIZER.vocabulary_size,
        "max_length": 11,
    },
}
PHOTOS = rng.random((5, 4, 2, 1)).astype("float32")
TITLES = ["area", "中文 🙂", "", "of a square", b"\xff"]


def make_model(**settings):
    model = MultimodalClassifier(STREAMS, 3, 1, 2, 8, 6, **settings)
    random_weights(model, seed=4)
    return model


@pytest.fixture(scope="module")
def classifier():
    return StreamClassifier(make_model(), LABELS, TOKENIZER)


def alone(classifier, photo=None, title=None):
    """The model's own probabilities of one example, which is shown what is there."""
    inputs = {}
    if photo is not None:
        inputs["photo"] = photo[None]
    if title is not None and TOKENIZER.encode(title):
        inputs["title"] = np.array([TOKENIZER.encode(title)], "int32")
    if not inputs:
        inputs = {"photo": PHOTOS[:1], "photo_present": np.array([False])}
    return ops.convert_to_numpy(ops.softmax(classifier.model(inputs)))[0]


@pytest.mark.slow_elsewhere
def test_a_batch_is_answered_as_each_example_alone(classifier):
    photos = [PHOTOS[0], None, PHOTOS[2], None, PHOTOS[4]]
    titles = [*TITLES[:3], TITLES[3], None]
    expected = [alone(classifier, *pair) for pair in zip(photos, titles)]

    shares = classifier.probabilities({"photo": photos, "title": titles})

    assert shares.dtype == "float32"
    assert_close(shares, np.stack(expected))
    assert_close(shares.sum(axis=1), np.ones(5))
    assert classifier({"photo": photos, "title": titles}) == [
        LABELS[row.argmax()] for row in expected
    ]
    assert len({tuple(row.round(3)) for row in expected}) == 5


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("missing", ["photo", "title"])
@pytest.mark.parametrize("said", ["left out", "None", "None in a list"])
def test_it_does_not_matter_how_missing_is_said(classifier, missing, said):
    inputs = {"photo": PHOTOS, "title": TITLES, missing: None}
    if said == "left out":
        del inputs[missing]
    if said == "None in a list":
        inputs[missing] = [None] * 5
    kept = {"photo": PHOTOS, "title": TITLES}
    del kept[missing]
    expected = [
        alone(classifier, **{name: stream[row] for name, stream in kept.items()})
        for row in range(5)
    ]

    assert_close(classifier.probabilities(inputs), np.stack(expected))


@pytest.mark.slow_elsewhere
def test_many_examples_are_answered_in_parts(classifier):
    few = classifier.probabilities({"photo": PHOTOS})

    many = classifier.probabilities({"photo": np.tile(PHOTOS, (14, 1, 1, 1))})

    assert many.shape == (70, 3)
    assert_close(many, np.tile(few, (14, 1)))


@pytest.mark.slow_elsewhere
def test_no_example_is_answered_by_nothing(classifier):
    assert classifier({"photo": PHOTOS[:0]}) == []
    assert classifier.probabilities({"title": []}).shape == (0, 3)


@pytest.mark.slow_elsewhere
def test_large_logits_give_probabilities(classifier):
    model = make_model()
    model.head.bias.assign([1e4, -1e4, 1e4])
    shares = StreamClassifier(model, LABELS).probabilities({"photo": PHOTOS})

    assert np.isfinite(shares).all()
    assert_close(shares[:, 1], np.zeros(5))


@pytest.mark.slow_elsewhere
def test_it_comes_back_from_its_directory(classifier, tmp_path):
    inputs = {"photo": PHOTOS, "title": TITLES}

    classifier.save(tmp_path / "c")
    back = load(tmp_path / "c")

    assert isinstance(back, StreamClassifier)
    assert back.labels == LABELS
    assert_close(back.probabilities(inputs), classifier.probabilities(inputs))
    with pytest.raises(FileExistsError, match="or be a folder and overwrite=True"):
        classifier.save(tmp_path / "c")
    (tmp_path / "c" / "tokenizer.model").unlink()
    with pytest.raises(FileNotFoundError, match="must hold `tokenizer.model`"):
        load(tmp_path / "c")


@pytest.mark.slow_elsewhere
def test_without_a_tokenizer_texts_are_token_ids(classifier, tmp_path):
    StreamClassifier(classifier.model, LABELS).save(tmp_path / "c")
    plain = load(tmp_path / "c")

    shares = plain.probabilities({"title": [TOKENIZER.encode(t) for t in TITLES]})

    assert plain.tokenizer is None
    assert_close(shares, classifier.probabilities({"title": TITLES}))


# ----------------------------------------------------------------------- errors


@pytest.mark.slow_elsewhere
def test_labels_that_do_not_fit_are_refused(classifier):
    with pytest.raises(ValueError, match="a label for each of the model's 3 classes"):
        StreamClassifier(classifier.model, LABELS[:2])


@pytest.mark.slow_elsewhere
def test_a_tokenizer_that_does_not_fit_is_refused():
    title = {"kind": "text", "vocabulary_size": 9, "max_length": 4}
    other = MultimodalClassifier({"title": title}, 3, 1, 1, 4, 6)
    blind = MultimodalClassifier({"photo": STREAMS["photo"]}, 3, 1, 1, 4, 6)

    with pytest.raises(ValueError, match="must have vocabularies of one size"):
        StreamClassifier(other, LABELS, TOKENIZER)
    with pytest.raises(ValueError, match="must have a text stream to read"):
        StreamClassifier(blind, LABELS, TOKENIZER)


@pytest.mark.slow_elsewhere
def test_a_call_that_does_not_fit_is_refused(classifier):
    with pytest.raises(ValueError, match="A stream must be one of"):
        classifier({"video": PHOTOS})
    with pytest.raises(ValueError, match=r"'photo' must have shape \(4, 2, 1\)"):
        classifier({"photo": PHOTOS[0]})
