"""TransformerEncoder: its contract, a case by hand, both sides, padding, its errors."""

import numpy as np
import pytest

from keras_lm.layers.choose_attention import ATTENTIONS
from keras_lm.models import TransformerEncoder
from tests.checks import assert_close, check_layer, compiled, outputs_of, padding

SIZES = {
    "vocabulary_size": 13,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 18,
    "intermediate_dim": 11,
    "max_sequence_length": 19,
}
rng = np.random.default_rng(seed=0)
TOKEN_IDS = rng.integers(0, 13, size=(2, 7), dtype="int32")
SEGMENT_IDS = rng.integers(0, 2, size=(2, 7), dtype="int32")
REAL = padding(2, 7)
# Without rotary positions, key biases shift all scores of a query alike.
STILL = ("key/bias",)
BERT = {"num_segments": 2, "embedding_dim": 8, "normalize_first": False}
VARIANTS = [
    pytest.param(BERT, {"segment_ids": SEGMENT_IDS}, id="bert"),
    pytest.param(
        {"positions": "rotary", "gated": True, "activation": "silu"},
        {},
        id="rotary",
        marks=pytest.mark.slow_elsewhere,
    ),
    pytest.param(
        {"positions": "sinusoidal"},
        {},
        id="sinusoidal",
        marks=pytest.mark.slow_elsewhere,
    ),
]


def make_model(**changes):
    return TransformerEncoder(**{**SIZES, **changes})


@pytest.mark.parametrize(("changes", "others"), VARIANTS)
def test_model_contract(changes, others):
    inputs = {"token_ids": TOKEN_IDS, "padding_mask": REAL, **others}

    check_layer(make_model(**changes), inputs, (2, 7, 18), unmoved=STILL)


def test_a_case_done_by_hand():
    # No blocks' weights, no positions: normalised embeddings. (1, 0) becomes (1, -1),
    # (0, 2) becomes (-1, 1), and each normalisation after it leaves them.
    sizes = {"vocabulary_size": 2, "hidden_dim": 2, "num_heads": 1, "num_layers": 1}
    model = make_model(**sizes, positions=None, normalize_first=False)
    weights = [np.zeros(w.shape) for w in model.weights]
    for place, weight in enumerate(model.weights):
        if weight.path.endswith("/gamma"):
            weights[place] = np.ones(2)
    weights[0] = np.array([[1.0, 0.0], [0.0, 2.0]])
    model.set_weights(weights)

    hidden = model(np.array([[0, 1]]))

    assert_close(hidden, [[[1.0, -1.0], [-1.0, 1.0]]], tolerance=1e-4)


@pytest.mark.parametrize(
    "attention",
    [
        pytest.param(
            name,
            marks=pytest.mark.slow_elsewhere if name in ("dynamic", "bayesian") else (),
        )
        for name in ATTENTIONS
    ],
)
def test_padding_has_no_influence(attention):
    model = make_model(attention=attention)
    assert all(type(b.attention) is ATTENTIONS[attention] for b in model.blocks)
    call = compiled(model)
    others = np.where(REAL, TOKEN_IDS, (TOKEN_IDS + 5) % 13)

    before, after = (
        outputs_of(call(ids, padding_mask=REAL))[0] for ids in (TOKEN_IDS, others)
    )

    np.testing.assert_allclose(after[REAL], before[REAL], atol=1e-6)


def test_it_looks_to_both_sides():
    model = make_model()
    rng = np.random.default_rng(seed=2)
    model.set_weights([rng.normal(scale=0.5, size=w.shape) for w in model.weights])
    call = compiled(model)
    for place in (0, 6):
        other = TOKEN_IDS.copy()
        other[:, place] = (other[:, place] + 1) % 13

        moved = np.abs(outputs_of(call(other))[0] - outputs_of(call(TOKEN_IDS))[0])

        assert moved.max(axis=(0, 2)).min() > 1e-3


def test_segments_and_places_matter():
    model = make_model(**BERT)
    rng = np.random.default_rng(seed=2)
    model.set_weights([rng.normal(scale=0.5, size=w.shape) for w in model.weights])
    call = compiled(model)
    zeros = np.zeros_like(SEGMENT_IDS)
    plain = outputs_of(call(TOKEN_IDS))[0]
    swapped = TOKEN_IDS[:, [1, 0, 2, 3, 4, 5, 6]]

    assert_close(call(TOKEN_IDS, segment_ids=zeros), plain)
    others = outputs_of(call(TOKEN_IDS, segment_ids=SEGMENT_IDS))[0]
    assert np.abs(others - plain).max() > 1e-2
    assert np.abs(outputs_of(call(swapped))[0][:, 6] - plain[:, 6]).max() > 1e-2


def test_it_pools_what_is_real():
    model = make_model(pooling="first")
    hidden = model(TOKEN_IDS, padding_mask=REAL)
    louder = np.where(REAL[..., None], outputs_of(hidden)[0], 100.0)

    pooled = model.pool(hidden, REAL)

    assert tuple(pooled.shape) == (2, 18)
    assert_close(model.pool(louder, REAL), pooled)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"num_heads": 4}, "`hidden_dim` must be a multiple of `num_heads`"),
        ({"positions": "relative"}, "`positions` must be one of"),
        ({"pooling": "last"}, "`pooling` must be one of.*'first'"),
        ({"num_segments": -1}, "`num_segments` must be at least 0"),
        ({"embedding_dim": 0}, "`embedding_dim` must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_model(**changes)


def test_segments_of_a_model_that_knows_none_are_refused():
    with pytest.raises(ValueError, match="`segment_ids` need a model of"):
        make_model()(TOKEN_IDS, segment_ids=SEGMENT_IDS)
