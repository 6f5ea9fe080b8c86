"""DualEncoder: its contract, the order of its columns, padding, errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.models import (
    DualEncoder,
    LSTMEncoder,
    SequenceClassifier,
    TransformerEncoder,
)
from tests.checks import (
    assert_close,
    check_layer,
    compiled,
    outputs_of,
    padding,
    variants,
)

SIZES = {
    "vocabulary_size": 13,
    "num_layers": 1,
    "num_heads": 3,
    "hidden_dim": 18,
    "intermediate_dim": 11,
    "max_sequence_length": 19,
}
LSTM = {"vocabulary_size": 13, "embedding_dim": 5, "hidden_dim": 6, "num_layers": 2}
ENCODERS = {
    "transformer": lambda **changes: TransformerEncoder(**{**SIZES, **changes}),
    "lstm": lambda **changes: LSTMEncoder(**{**LSTM, **changes}),
}
rng = np.random.default_rng(seed=0)
REAL, OTHERS_REAL = padding(2, 7), np.stack([padding(3, 5), padding(3, 5)[::-1]])
INPUTS = {
    "token_ids": rng.integers(0, 13, size=(2, 7), dtype="int32"),
    "padding_mask": REAL,
    "other_token_ids": rng.integers(0, 13, size=(2, 3, 5), dtype="int32"),
    "other_padding_mask": OTHERS_REAL,
}


def make_model(encoder="transformer", **changes):
    model = DualEncoder(ENCODERS[encoder](**changes))
    noise = np.random.default_rng(seed=1)
    model.set_weights(
        [w + 0.3 * noise.normal(size=w.shape) for w in model.get_weights()]
    )
    return model


def cosines_of(model, inputs):
    return outputs_of(compiled(model)(inputs))[0]


# By these poolings all weights move: a Transformer's final shift passes the dense layer
# of "first"; an LSTM that reads forwards has no state yet at the first token.
POOLINGS = {"transformer": "first", "lstm": "attention"}


@pytest.mark.parametrize(
    "encoder", variants({name: name for name in ENCODERS}, everywhere="transformer")
)
def test_model_contract(encoder):
    model = make_model(encoder, pooling=POOLINGS[encoder])

    check_layer(model, {"inputs": INPUTS}, (2, 6), unmoved=("key/bias",))


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("encoder", ENCODERS)
def test_columns_are_the_first_of_all_then_the_second(encoder):
    model = make_model(encoder)
    encoder = model.encoder

    def vector(ids, real):
        ids = ids[real][None]
        pooled = outputs_of(encoder.pool(encoder(ids)))[0][0]
        return pooled / np.linalg.norm(pooled)

    texts = [vector(*both) for both in zip(INPUTS["token_ids"], REAL)]
    others = [
        vector(INPUTS["other_token_ids"][row, column], OTHERS_REAL[row, column])
        for column in range(3)
        for row in range(2)
    ]

    found = cosines_of(model, INPUTS)

    assert_close(found, np.stack(texts) @ np.stack(others).T, 1e-4)
    alone = {name: array for name, array in INPUTS.items() if "mask" not in name}
    assert np.abs(cosines_of(model, alone) - found).max() > 1e-3


@pytest.mark.parametrize("encoder", ENCODERS)
def test_padding_has_no_influence(encoder):
    model = make_model(encoder)
    changed = dict(INPUTS)
    for name, real in (("token_ids", REAL), ("other_token_ids", OTHERS_REAL)):
        changed[name] = np.where(real, INPUTS[name], (INPUTS[name] + 5) % 13)

    assert_close(cosines_of(model, changed), cosines_of(model, INPUTS))


def test_a_text_of_padding_alone_is_a_finite_vector():
    model = make_model()

    vectors = model.encode(np.zeros((2, 3), "int32"), np.zeros((2, 3), "bool"))

    assert_close(vectors, np.zeros((2, 18)), 1e-6)
    lengths = ops.norm(model.encode(INPUTS["token_ids"], REAL), axis=-1)
    assert_close(lengths, np.ones(2))


@pytest.mark.once
def test_how_the_encoder_was_trained_is_no_setting():
    model = make_model()
    plain = model.get_config()
    model.encoder.compile("sgd", "mse")

    assert model.get_config() == plain


# ----------------------------------------------------------------------- errors


@pytest.mark.once
def test_what_does_not_fit_is_refused():
    model = make_model()
    with pytest.raises(TypeError, match="`encoder` must be a model with `pool`"):
        DualEncoder(SequenceClassifier(model.encoder, 2))
    with pytest.raises(ValueError, match=r'"other_token_ids". Received: \[\'token_ids'):
        model({"token_ids": INPUTS["token_ids"]})
    with pytest.raises(ValueError, match='"token_ids" and "other_token_ids". Received'):
        model(INPUTS["token_ids"])
    with pytest.raises(ValueError, match=r"must have keys among.*\['segment_ids'\]"):
        model({**INPUTS, "segment_ids": INPUTS["token_ids"]})
