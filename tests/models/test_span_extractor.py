"""SpanExtractor: its contract, a case by hand, masks, an LSTM, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import LSTMEncoder, SpanExtractor, TransformerEncoder
from tests.checks import assert_close, check_layer, compiled, outputs_of, padding
from tests.models.test_sequence_classifier import SIZES

rng = np.random.default_rng(seed=0)
TOKEN_IDS = rng.integers(0, 13, size=(2, 7), dtype="int32")
SEGMENT_IDS = np.array([[0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 1]], "int32")
REAL = padding(2, 7)
CONTEXT = SEGMENT_IDS == 1
INPUTS = {"token_ids": TOKEN_IDS, "segment_ids": SEGMENT_IDS}
MASKS = {"padding_mask": REAL, "context_mask": CONTEXT}


def make_model(dropout=0.0, **changes):
    encoder = TransformerEncoder(**{**SIZES, **changes})
    return SpanExtractor(encoder, dropout=dropout, seed=1)


def logits_of(model, inputs, **options):
    return outputs_of(compiled(model, **options)(inputs))[0]


def test_model_contract():
    model = make_model(num_segments=2)

    check_layer(model, {"inputs": INPUTS}, (2, 7, 2), unmoved=("key/bias",))


def test_a_case_done_by_hand():
    # No blocks' weights, no positions: the embeddings (1, 0) and (0, 2), normalised to
    # (1, -1) and (-1, 1); a start is three times the first, an end both and 5.
    sizes = {"vocabulary_size": 2, "hidden_dim": 2, "num_heads": 1}
    model = make_model(**sizes, positions=None, normalize_first=False)
    weights = [np.zeros(w.shape) for w in model.weights]
    for place, weight in enumerate(model.weights):
        if weight.path.endswith("/gamma"):
            weights[place] = np.ones(2)
        if weight.path.endswith("/embeddings"):
            weights[place] = np.array([[1.0, 0.0], [0.0, 2.0]])
    weights[-2:] = [np.array([[3.0, 1.0], [0.0, 2.0]]), np.array([0.0, 5.0])]
    model.set_weights(weights)
    inputs = {"token_ids": np.array([[0, 1, 0]])}

    assert_close(model(inputs), [[[3.0, 4.0], [-3.0, 6.0], [3.0, 4.0]]], 1e-4)
    inputs["context_mask"] = np.array([[False, False, True]])
    assert_close(model(inputs), [[[3.0, 4.0], [-1e9, -1e9], [3.0, 4.0]]], 1e-4)


def test_only_the_context_and_the_first_token_are_left():
    model = make_model(num_segments=2)
    model.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in model.get_weights()])
    free = logits_of(model, {**INPUTS, "padding_mask": REAL})

    logits = logits_of(model, {**INPUTS, **MASKS})

    allowed = CONTEXT & REAL
    allowed[:, 0] = True
    assert_close(logits[allowed], free[allowed])
    assert (logits[~allowed] < -1e8).all()
    assert (free[~REAL][:, 0] < -1e8).all() and (np.abs(free[REAL]) < 1e2).all()
    others = np.where(REAL, TOKEN_IDS, (TOKEN_IDS + 5) % 13)
    moved = logits_of(model, {**INPUTS, **MASKS, "token_ids": others})
    assert_close(moved, logits)
    swapped = {**INPUTS, **MASKS, "segment_ids": 1 - SEGMENT_IDS}
    assert np.abs(logits_of(model, swapped) - logits).max() > 1e-2


@pytest.mark.once
def test_a_model_of_one_segment_does_not_look_at_them():
    model = make_model(num_segments=1)  # one of RoBERTa's kind

    without = logits_of(model, {"token_ids": TOKEN_IDS})
    assert_close(logits_of(model, INPUTS), without)


@pytest.mark.once
def test_the_encoder_may_be_an_lstm():
    model = SpanExtractor(LSTMEncoder(13, 5, 6))
    logits = logits_of(model, {"token_ids": TOKEN_IDS, **MASKS})

    copy = SpanExtractor.from_config(model.get_config())
    copy.set_weights(model.get_weights())

    assert logits.shape == (2, 7, 2)
    assert_close(copy({"token_ids": TOKEN_IDS, **MASKS}), logits)


def test_dropout_is_for_training_only():
    keras.utils.set_random_seed(1)
    model = make_model(dropout=0.5)

    assert_close(logits_of(model, INPUTS), logits_of(model, INPUTS))
    moved = logits_of(model, INPUTS, training=True) - logits_of(model, INPUTS)
    assert np.abs(moved).max() > 1e-3


@pytest.mark.once
def test_how_the_encoder_was_trained_is_no_setting():
    model = make_model(dropout=0.25)
    plain = model.get_config()
    model.encoder.compile("sgd", "mse")

    assert model.get_config() == plain
    copy = SpanExtractor.from_config(plain)
    assert (copy.dropout, copy.seed, copy.dropout_layer.rate) == (0.25, 1, 0.25)


# ----------------------------------------------------------------------- errors


@pytest.mark.once
def test_what_does_not_fit_is_refused():
    with pytest.raises(TypeError, match="`encoder` must be a model with `hidden_dim`"):
        SpanExtractor(keras.Sequential())
    with pytest.raises(ValueError, match="`dropout` must be at least 0 and below 1"):
        make_model(dropout=1.0)
