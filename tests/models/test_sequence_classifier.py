"""SequenceClassifier: its contract, a case by hand, padding, pairs, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import LSTMEncoder, SequenceClassifier, TransformerEncoder
from tests.checks import JIT, assert_close, check_layer, compiled, outputs_of, padding

SIZES = {
    "vocabulary_size": 13,
    "num_layers": 1,
    "num_heads": 3,
    "hidden_dim": 18,
    "intermediate_dim": 11,
    "max_sequence_length": 19,
}
rng = np.random.default_rng(seed=0)
TOKEN_IDS = rng.integers(0, 13, size=(2, 7), dtype="int32")
SEGMENT_IDS = rng.integers(0, 2, size=(2, 7), dtype="int32")
REAL = padding(2, 7)
INPUTS = {"token_ids": TOKEN_IDS, "padding_mask": REAL, "segment_ids": SEGMENT_IDS}


def make_model(num_classes=4, dropout=0.0, **changes):
    encoder = TransformerEncoder(**{**SIZES, **changes})
    return SequenceClassifier(encoder, num_classes, dropout=dropout, seed=1)


def logits_of(model, inputs, **options):
    return outputs_of(compiled(model, **options)(inputs))[0]


def test_model_contract():
    model = make_model(num_segments=2, pooling="first")

    check_layer(model, {"inputs": INPUTS}, (2, 4), unmoved=("key/bias",))


def test_a_case_done_by_hand():
    # No blocks' weights, no positions: the embeddings (1, 0) and (0, 2), normalised to
    # (1, -1) and (-1, 1). Of three tokens 0, 0, 1 the mean is (1, -1) / 3, and without
    # the last, which is padding, (1, -1).
    sizes = {"vocabulary_size": 2, "hidden_dim": 2, "num_heads": 1}
    model = make_model(2, **sizes, positions=None, normalize_first=False)
    weights = [np.zeros(w.shape) for w in model.weights]
    for place, weight in enumerate(model.weights):
        if weight.path.endswith("/gamma"):
            weights[place] = np.ones(2)
        if weight.path.endswith("/embeddings"):
            weights[place] = np.array([[1.0, 0.0], [0.0, 2.0]])
    weights[-2:] = [np.array([[3.0, 1.0], [0.0, 1.0]]), np.array([0.0, 5.0])]
    model.set_weights(weights)
    token_ids, real = np.array([[0, 0, 1]]), np.array([[True, True, False]])

    assert_close(model({"token_ids": token_ids}), [[1.0, 5.0]], 1e-4)
    inputs = {"token_ids": token_ids, "padding_mask": real}
    assert_close(model(inputs), [[3.0, 5.0]], 1e-4)


def test_padding_has_no_influence_and_segments_have():
    model = make_model(num_segments=2)
    model.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in model.get_weights()])
    others = np.where(REAL, TOKEN_IDS, (TOKEN_IDS + 5) % 13)
    logits = logits_of(model, INPUTS)

    assert_close(logits_of(model, {**INPUTS, "token_ids": others}), logits)
    swapped = logits_of(model, {**INPUTS, "segment_ids": 1 - SEGMENT_IDS})
    assert np.abs(swapped - logits).max() > 1e-2


@pytest.mark.parametrize("num_segments", [0, 1])
def test_a_model_of_one_segment_does_not_look_at_them(num_segments):
    model = make_model(num_segments=num_segments)  # one of RoBERTa's kind
    alone = {name: array for name, array in INPUTS.items() if name != "segment_ids"}

    assert_close(logits_of(model, INPUTS), logits_of(model, alone))


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("multi_label", [False, True])
def test_it_learns(multi_label):
    # Class 1 where token 7 stands; of labels, 1 where 7 and 0 where 5.
    numbers = np.random.default_rng(seed=3)
    token_ids = numbers.integers(0, 13, size=(64, 6), dtype="int32")
    has = np.stack([(token_ids == n).any(axis=1) for n in (5, 7)], axis=1)
    targets = has.astype("float32") if multi_label else has[:, 1].astype("int32")
    loss = keras.losses.BinaryCrossentropy
    if not multi_label:
        loss = keras.losses.SparseCategoricalCrossentropy
    keras.utils.set_random_seed(1)
    model = make_model(2, dropout=0.1)
    optimizer = keras.optimizers.Adam(0.02)
    model.compile(optimizer, loss(from_logits=True), jit_compile=JIT)

    model.fit({"token_ids": token_ids}, targets, batch_size=32, epochs=25, verbose=0)

    found = logits_of(model, {"token_ids": token_ids})
    right = (found > 0) == has if multi_label else found.argmax(axis=1) == targets
    assert right.mean() > 0.95


@pytest.mark.once
def test_the_encoder_may_be_an_lstm():
    model = SequenceClassifier(LSTMEncoder(13, 5, 6, pooling="attention"), 4)
    others = np.where(REAL, TOKEN_IDS, (TOKEN_IDS + 5) % 13)
    logits = logits_of(model, {"token_ids": TOKEN_IDS, "padding_mask": REAL})

    copy = SequenceClassifier.from_config(model.get_config())
    copy.set_weights(model.get_weights())

    assert logits.shape == (2, 4)
    assert_close(copy({"token_ids": others, "padding_mask": REAL}), logits)


def test_dropout_is_for_training_only():
    keras.utils.set_random_seed(1)
    model = make_model(dropout=0.5)
    inputs = {"token_ids": TOKEN_IDS}

    assert_close(logits_of(model, inputs), logits_of(model, inputs))
    moved = logits_of(model, inputs, training=True) - logits_of(model, inputs)
    assert np.abs(moved).max() > 1e-3


@pytest.mark.once
def test_how_the_encoder_was_trained_is_no_setting():
    model = make_model(dropout=0.25)
    plain = model.get_config()
    model.encoder.compile("sgd", "mse")

    assert model.get_config() == plain
    copy = SequenceClassifier.from_config(plain)
    assert (copy.dropout, copy.seed, copy.dropout_layer.rate) == (0.25, 1, 0.25)


# ----------------------------------------------------------------------- errors


@pytest.mark.once
def test_what_does_not_fit_is_refused():
    with pytest.raises(TypeError, match="`encoder` must be a model with `pool`"):
        SequenceClassifier(keras.Sequential(), 2)
    with pytest.raises(ValueError, match="`num_classes` must be at least 1"):
        make_model(0)
    with pytest.raises(ValueError, match="`dropout` must be at least 0 and below 1"):
        make_model(dropout=1.0)
