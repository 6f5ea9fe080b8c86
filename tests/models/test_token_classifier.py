"""TokenClassifier: its contract, a case by hand, padding, marks, an LSTM, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import LSTMEncoder, TokenClassifier, TransformerEncoder
from keras_lm.training import MaskedCrossEntropy
from tests.checks import JIT, assert_close, check_layer, compiled, outputs_of, padding
from tests.models.test_sequence_classifier import SIZES

rng = np.random.default_rng(seed=0)
TOKEN_IDS = rng.integers(0, 13, size=(2, 7), dtype="int32")
MARKS = np.array([[0, 0, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0, 0]], "int32")
REAL = padding(2, 7)
INPUTS = {"token_ids": TOKEN_IDS, "padding_mask": REAL, "marks": MARKS}


def make_model(num_labels=4, dropout=0.0, **changes):
    encoder = TransformerEncoder(**{**SIZES, "num_segments": 2, **changes})
    return TokenClassifier(encoder, num_labels, dropout=dropout, seed=1)


def logits_of(model, inputs, **options):
    return outputs_of(compiled(model, **options)(inputs))[0]


def test_model_contract():
    check_layer(make_model(), {"inputs": INPUTS}, (2, 7, 4), unmoved=("key/bias",))


def test_a_case_done_by_hand():
    # No blocks' weights, no positions: the embeddings (1, 0) and (0, 2), normalised to
    # (1, -1) and (-1, 1); the mark's (0, 4) turns the first into (-1, 1).
    sizes = {"vocabulary_size": 2, "hidden_dim": 2, "num_heads": 1}
    model = make_model(3, **sizes, positions=None, normalize_first=False)
    weights = [np.zeros(w.shape) for w in model.weights]
    for place, weight in enumerate(model.weights):
        if weight.path.endswith("/gamma"):
            weights[place] = np.ones(2)
        elif "segment_embedding" in weight.path:
            weights[place] = np.array([[0.0, 0.0], [0.0, 4.0]])
        elif weight.path.endswith("/embeddings"):
            weights[place] = np.array([[1.0, 0.0], [0.0, 2.0]])
    weights[-2:] = [np.array([[3.0, 1, 0], [0, 1, 0]]), np.array([0.0, 0.0, 5.0])]
    model.set_weights(weights)
    token_ids = np.array([[0, 1]])

    first, second = [3.0, 0.0, 5.0], [-3.0, 0.0, 5.0]
    assert_close(model({"token_ids": token_ids}), [[first, second]], 1e-4)
    marked = {"token_ids": token_ids, "marks": np.array([[1, 0]])}
    assert_close(model(marked), [[second, second]], 1e-4)


def test_padding_has_no_influence_and_a_mark_has_everywhere():
    model = make_model()
    model.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in model.get_weights()])
    others = np.where(REAL, TOKEN_IDS, (TOKEN_IDS + 5) % 13)
    logits = logits_of(model, INPUTS)

    assert_close(logits_of(model, {**INPUTS, "token_ids": others})[REAL], logits[REAL])
    moved = logits_of(model, {**INPUTS, "marks": np.roll(MARKS, 1, 1)}) - logits
    assert np.abs(moved).max(axis=-1)[REAL].min() > 1e-3
    unmarked = {name: INPUTS[name] for name in ("token_ids", "padding_mask")}
    none = logits_of(model, {**INPUTS, "marks": 0 * MARKS})
    assert_close(logits_of(model, unmarked), none)


@pytest.mark.slow_elsewhere
def test_it_learns_what_a_mark_means():
    # All labels are 1 where the marked token is above 6; no loss is taken at the first.
    numbers = np.random.default_rng(seed=3)
    token_ids = numbers.integers(0, 13, size=(64, 6), dtype="int32")
    marks = np.eye(6, dtype="int32")[numbers.integers(0, 6, size=64)]
    is_high = (token_ids * marks).sum(axis=1, keepdims=True) > 6
    targets = np.tile(is_high, (1, 6)).astype("int32")
    weights = np.ones(targets.shape, "float32")
    weights[:, 0] = 0.0
    taught = targets.copy()
    taught[:, 0] = 1 - targets[:, 0]
    keras.utils.set_random_seed(1)
    model = make_model(2, dropout=0.1)
    model.compile(keras.optimizers.Adam(0.02), MaskedCrossEntropy(), jit_compile=JIT)
    inputs = {"token_ids": token_ids, "marks": marks}

    model.fit(inputs, taught, sample_weight=weights, epochs=25, verbose=0)

    found = logits_of(model, inputs).argmax(axis=-1)
    assert (found == targets)[:, 1:].mean() > 0.95
    assert (found == targets)[:, 0].mean() > 0.8


@pytest.mark.once
def test_the_encoder_may_be_an_lstm():
    model = TokenClassifier(LSTMEncoder(13, 5, 6), 4)
    inputs = {"token_ids": TOKEN_IDS, "padding_mask": REAL}
    others = np.where(REAL, TOKEN_IDS, (TOKEN_IDS + 5) % 13)
    logits = logits_of(model, inputs)

    copy = TokenClassifier.from_config(model.get_config())
    copy.set_weights(model.get_weights())

    assert logits.shape == (2, 7, 4)
    assert_close(logits_of(copy, {**inputs, "token_ids": others})[REAL], logits[REAL])
    with pytest.raises(ValueError, match="at least two segments. Received.*=0"):
        model(INPUTS)


@pytest.mark.once
def test_dropout_is_for_training_only_and_settings_come_back():
    keras.utils.set_random_seed(1)
    model = make_model(dropout=0.5)
    inputs = {"token_ids": TOKEN_IDS}

    assert_close(logits_of(model, inputs), logits_of(model, inputs))
    moved = logits_of(model, inputs, training=True) - logits_of(model, inputs)
    assert np.abs(moved).max() > 1e-3
    plain = model.get_config()
    model.encoder.compile("sgd", "mse")
    assert model.get_config() == plain
    copy = TokenClassifier.from_config(plain)
    assert (copy.dropout, copy.seed, copy.dropout_layer.rate) == (0.5, 1, 0.5)


# ----------------------------------------------------------------------- errors


@pytest.mark.once
def test_what_does_not_fit_is_refused():
    with pytest.raises(TypeError, match="`encoder` must be a model with `hidden_dim`"):
        TokenClassifier(keras.Sequential(), 2)
    with pytest.raises(ValueError, match="`num_labels` must be at least 1"):
        make_model(0)
    with pytest.raises(ValueError, match="`dropout` must be at least 0 and below 1"):
        make_model(dropout=1.0)
    with pytest.raises(ValueError, match="`marks` need an encoder of at least two"):
        make_model(num_segments=1)(INPUTS)
