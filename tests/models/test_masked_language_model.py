"""MaskedLanguageModel: its contract, chosen positions only, a loss by hand."""

import numpy as np
import pytest

from keras_lm.models import MaskedLanguageModel, TransformerEncoder
from keras_lm.training import MaskedCrossEntropy
from tests.checks import assert_close, check_model, compiled, outputs_of, padding
from tests.fakes import random_weights

rng = np.random.default_rng(seed=0)
TOKEN_IDS = rng.integers(0, 13, size=(2, 7), dtype="int32")
SEGMENT_IDS = rng.integers(0, 2, size=(2, 7), dtype="int32")
POSITIONS = np.array([[5, 2, 0], [3, 3, 1]], "int32")
LABELS = rng.integers(0, 13, size=(2, 3), dtype="int32")
REAL = padding(2, 7)


def make_model(judges_pairs=False, **changes):
    sizes = {
        "vocabulary_size": 13,
        "num_layers": 1,
        "num_heads": 3,
        "hidden_dim": 18,
        "intermediate_dim": 11,
        "max_sequence_length": 19,
    }
    encoder = TransformerEncoder(**{**sizes, **changes})
    return MaskedLanguageModel(encoder, judges_pairs=judges_pairs)


@pytest.mark.parametrize(
    ("changes", "others"),
    [
        (
            {"num_segments": 2, "embedding_dim": 8, "normalize_first": False},
            {"segment_ids": SEGMENT_IDS},
        ),
        pytest.param({"positions": "rotary"}, {}, marks=pytest.mark.slow_elsewhere),
    ],
)
def test_model_contract(changes, others):
    inputs = {
        "token_ids": TOKEN_IDS,
        "padding_mask": REAL,
        "masked_positions": POSITIONS,
        **others,
    }

    check_model(make_model(**changes), inputs, (2, 3, 13), LABELS, ("key/bias",))


def test_positions_have_the_logits_of_the_whole():
    model = make_model()
    random_weights(model, seed=1)
    inputs = {"token_ids": TOKEN_IDS, "padding_mask": REAL}
    whole = outputs_of(model(**inputs))[0]

    some = model({**inputs, "masked_positions": POSITIONS})

    assert whole.shape == (2, 7, 13)
    assert_close(some, np.take_along_axis(whole, POSITIONS[..., None], 1), 1e-4)
    others = outputs_of(model(np.where(REAL, TOKEN_IDS, 5), padding_mask=REAL))[0]
    assert_close(others[REAL], whole[REAL], 1e-4)


def test_output_embeddings_are_those_of_the_input():
    model = make_model()
    embeddings = model.encoder.token_embedding.embeddings
    random_weights(model, seed=1)
    call = compiled(model)
    before = outputs_of(call(TOKEN_IDS))[0]
    absent = next(n for n in range(13) if n not in TOKEN_IDS)
    values = outputs_of(embeddings)[0].copy()
    values[absent] *= 2.0
    embeddings.assign(values)

    moved = np.abs(outputs_of(call(TOKEN_IDS))[0] - before).max(axis=(0, 1))

    assert moved[absent] > 1e-2
    assert moved[np.arange(13) != absent].max() < 1e-5


def test_a_loss_done_by_hand_from_chosen_positions_only():
    # Without weights the logits are the bias: ln 2 for token 4, ln 3 for token 5, 0 for
    # eleven others, 16 together. Chosen: 4, 5, 5; so ln(16/2), ln(16/3), ln(16/3).
    model, loss = make_model(), MaskedCrossEntropy()
    model.set_weights([np.zeros(weight.shape) for weight in model.weights])
    model.head.bias.assign(np.log([1.0] * 4 + [2.0, 3.0] + [1.0] * 7))
    weights = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    labels = np.array([[4, 7, 5], [0, 5, 12]])

    logits = model(TOKEN_IDS, masked_positions=POSITIONS)

    expected = (np.log(16 / 2) + 2 * np.log(16 / 3)) / 3
    assert_close(loss(labels, logits, weights), expected)
    others = np.where(weights, labels, 9)
    assert_close(loss(others, logits, weights), expected)
    assert abs(float(loss(labels + 1, logits, weights)) - expected) > 0.1


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_pairs_are_judged_beside_hidden_words(pooling):
    model = make_model(judges_pairs=True, num_segments=2, pooling=pooling)
    random_weights(model, seed=1)
    inputs = {
        "token_ids": TOKEN_IDS,
        "padding_mask": REAL,
        "segment_ids": SEGMENT_IDS,
        "masked_positions": POSITIONS,
    }
    alone = MaskedLanguageModel(model.encoder)
    alone.head.set_weights(model.head.get_weights())
    hidden = model.encoder(TOKEN_IDS, REAL, segment_ids=SEGMENT_IDS)
    pooled = outputs_of(model.encoder.pool(hidden, REAL))[0]
    kernel, bias = model.pair_head.get_weights()

    outputs = model(inputs)

    assert_close(outputs["tokens"], outputs_of(alone(inputs))[0], 1e-5)
    assert_close(outputs["pairs"], pooled @ kernel + bias, 1e-5)
    copy = MaskedLanguageModel.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    assert_close(copy(inputs)["pairs"], outputs_of(outputs["pairs"])[0], 1e-5)


@pytest.mark.parametrize("encoder", [None, "bert"])
def test_what_is_no_encoder_is_refused(encoder):
    with pytest.raises(TypeError, match="`encoder` must be a `models.TransformerEncod"):
        MaskedLanguageModel(encoder)
