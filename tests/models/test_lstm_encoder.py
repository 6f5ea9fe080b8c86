"""models.LSTMEncoder: contract, a case by hand, padding, what stands on it, errors."""

import keras
import numpy as np
import pytest

from keras_lm import layers
from keras_lm.models import LSTMEncoder, MaskedLanguageModel, SequenceClassifier
from tests.checks import (
    assert_close,
    check_layer,
    check_model,
    compiled,
    outputs_of,
    padding,
)
from tests.fakes import random_weights

SIZES = {"vocabulary_size": 13, "embedding_dim": 5, "hidden_dim": 6, "num_layers": 2}
rng = np.random.default_rng(seed=0)
TOKEN_IDS = rng.integers(0, 13, size=(2, 7), dtype="int32")
SEGMENT_IDS = rng.integers(0, 2, size=(2, 7), dtype="int32")
REAL = padding(2, 7)


def make_model(**changes):
    model = LSTMEncoder(**{**SIZES, **changes})
    random_weights(model, seed=1)
    return model


def test_model_contract():
    inputs = {"token_ids": TOKEN_IDS, "padding_mask": REAL, "segment_ids": SEGMENT_IDS}

    check_layer(LSTMEncoder(**SIZES, num_segments=2, dropout=0.1), inputs, (2, 7, 6))


def test_a_case_done_by_hand():
    # One unit a direction, whose cell takes in tanh of the embedding and forgets
    # nothing: gates are open (1) with biases of 50. Of 1, 1: c = tanh(1), 2 tanh(1).
    model = make_model(vocabulary_size=2, embedding_dim=1, hidden_dim=2, num_layers=1)
    model.token_embedding.embeddings.assign([[0.0], [1.0]])
    for lstm in (*model.lstms.forwards, *model.lstms.backwards):
        lstm.set_weights(
            [
                np.array([[0.0, 0.0, 1.0, 0.0]]),
                np.zeros((1, 4)),
                np.array([50.0, 50.0, 0.0, 50.0]),
            ]
        )
    once, twice = np.tanh(np.tanh(1)), np.tanh(2 * np.tanh(1))

    hidden = model(np.array([[1, 0, 1]]))

    assert_close(hidden, [[[once, twice], [once, once], [twice, once]]])


@pytest.mark.parametrize("left", [False, True])
def test_padding_changes_nothing(left):
    model = make_model(num_segments=2, pooling="attention")
    real = padding(2, 7, left)
    others = np.where(real, TOKEN_IDS, (TOKEN_IDS + 5) % 13)
    call = compiled(model)

    before, after = (
        outputs_of(call(ids, padding_mask=real))[0] for ids in (TOKEN_IDS, others)
    )

    assert_close(after[real], before[real], 1e-6)
    alone = TOKEN_IDS[1:, real[1]]
    assert_close(before[1:, real[1]], model(alone))
    assert_close(model.pool(before, real)[1:], model.pool(model(alone)))


def test_it_looks_to_both_sides_and_at_segments():
    model = make_model(num_segments=2)
    call = compiled(model)
    plain = outputs_of(call(TOKEN_IDS))[0]
    for place in (0, 6):
        other = TOKEN_IDS.copy()
        other[:, place] = (other[:, place] + 1) % 13
        moved = np.abs(outputs_of(call(other))[0] - plain)
        assert moved.max(axis=(0, 2)).min() > 1e-5

    segments = outputs_of(call(TOKEN_IDS, segment_ids=SEGMENT_IDS))[0]
    assert np.abs(segments - plain).max() > 1e-2
    zeros = np.zeros_like(SEGMENT_IDS)
    assert_close(call(TOKEN_IDS, segment_ids=zeros), plain)


def test_a_text_may_be_longer_than_pipelines_read():
    model = make_model(max_sequence_length=3)
    assert tuple(model(TOKEN_IDS).shape) == (2, 7, 6)


@pytest.mark.slow_elsewhere
def test_a_masked_language_model_and_a_classifier_stand_on_it():
    positions = np.array([[5, 2, 0], [3, 3, 1]], "int32")
    inputs = {"token_ids": TOKEN_IDS, "masked_positions": positions}
    labels = rng.integers(0, 13, size=(2, 3), dtype="int32")

    check_model(MaskedLanguageModel(make_model()), inputs, (2, 3, 13), labels)

    classifier = SequenceClassifier(make_model(num_segments=2), 4)
    inputs = {"token_ids": TOKEN_IDS, "segment_ids": SEGMENT_IDS}
    copy = SequenceClassifier.from_config(classifier.get_config())
    copy.set_weights(classifier.get_weights())
    logits = classifier(inputs)
    assert tuple(logits.shape) == (2, 4)
    assert_close(copy(inputs), logits)
    assert isinstance(copy.encoder, LSTMEncoder)  # not the layer of that name


@pytest.mark.once
def test_the_layer_of_the_same_name_stays_itself():
    for one in (layers.LSTMEncoder(3), make_model()):
        copy = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(one)
        )
        assert type(copy) is type(one)


@pytest.mark.once
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary_size": 0}, "`vocabulary_size` must be at least 1"),
        ({"embedding_dim": 0}, "`embedding_dim` must be at least 1"),
        ({"hidden_dim": 7}, "`hidden_dim` must be even, half of it .* hidden_dim=7"),
        ({"hidden_dim": 0}, "`hidden_dim` must be at least 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
        ({"num_segments": -1}, "`num_segments` must be at least 0"),
        ({"pooling": "last"}, "`pooling` must be one of.*'first'"),
        ({"max_sequence_length": 0}, "`max_sequence_length` must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_model(**changes)


@pytest.mark.once
def test_segments_of_a_model_that_knows_none_are_refused():
    with pytest.raises(ValueError, match="`segment_ids` need a model of"):
        make_model()(TOKEN_IDS, segment_ids=SEGMENT_IDS)
