"""TransformerDecoder: its contract, a loop, padding, decoding, learning, its errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import MultiHeadAttention
from keras_lm.models import TransformerDecoder
from tests import make_cross_backend
from tests.checks import (
    assert_close,
    check_decoder,
    check_model,
    decode,
    outputs_of,
    padding,
    variants,
)

SIZES = {
    "vocabulary_size": 13,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 18,
    "intermediate_dim": 11,
    "max_sequence_length": 19,
}
TOKEN_IDS = np.random.default_rng(seed=0).integers(0, 13, size=(2, 7), dtype="int32")
NEXT_IDS = np.random.default_rng(seed=1).integers(0, 13, size=(2, 7), dtype="int32")
REAL = padding(2, 7)
# Without rotary positions, key biases shift all scores of a query alike.
STILL = ("key/bias",)
VARIANTS = {
    "rotary": {"num_key_value_heads": 1},
    "learned": {"positions": "learned", "gated": True, "activation": "silu"}
    | {"normalize_first": False, "tie_embeddings": False},
    "llama": {"normalization": "rms", "gated": True, "activation": "silu"}
    | {"use_bias": False, "rotary_wavelength": 50.0, "epsilon": 1e-3},
}


def make_model(**changes):
    return TransformerDecoder(**{**SIZES, **changes})


@pytest.mark.parametrize("changes", variants(VARIANTS, "rotary"))
def test_model_contract(changes):
    check_model(
        make_model(**changes),
        {"token_ids": TOKEN_IDS, "padding_mask": REAL},
        (2, 7, 13),
        targets=NEXT_IDS,
        unmoved=STILL,
    )


@pytest.mark.parametrize("changes", variants(VARIANTS, "learned"))
def test_decoder_contract(changes):
    check_decoder(make_model(**changes), TOKEN_IDS)


def test_a_case_done_by_hand():
    # No blocks' weights, no positions: each token's logits are the products of its
    # normalised embedding with all embeddings. (1, 0) becomes (1, -1), (0, 2) too
    # becomes (-1, 1).
    model = make_model(
        vocabulary_size=2, hidden_dim=2, num_heads=1, num_layers=1, positions=None
    )
    still = [np.zeros(w.shape) for w in model.weights]
    still[0] = np.array([[1.0, 0.0], [0.0, 2.0]])
    still[-2] = np.ones(2)  # the gain of the last normalisation
    model.set_weights(still)

    logits = model(np.array([[0, 1]]))

    assert_close(logits, [[[1.0, -2.0], [-1.0, 2.0]]], tolerance=1e-4)


def test_the_same_numbers_on_every_backend():
    weights, inputs, expected = make_cross_backend.load("model")
    model = TransformerDecoder(**make_cross_backend.MODEL)
    make_cross_backend.give(model, weights)
    real = inputs["padding_mask"][..., None]

    logits = outputs_of(model(**inputs))[0]
    stepwise = decode(model, inputs["token_ids"], 4, inputs["padding_mask"])

    assert_close(logits * real, expected["logits"] * real, tolerance=1e-4)
    assert_close(stepwise * real, expected["logits"] * real, tolerance=1e-4)


@pytest.mark.parametrize("positions", ["rotary", "learned", None])
def test_padding_has_no_influence(positions):
    model = make_model(positions=positions)
    others = np.where(REAL, TOKEN_IDS, (TOKEN_IDS + 5) % 13)

    before, after = (
        outputs_of(model(ids, padding_mask=REAL))[0] for ids in (TOKEN_IDS, others)
    )

    np.testing.assert_allclose(after[REAL], before[REAL], atol=1e-6)
    numbers = outputs_of(model(TOKEN_IDS, padding_mask=REAL.astype("float32")))[0]
    assert_close(numbers, before, tolerance=1e-6)


@pytest.mark.parametrize("positions", ["rotary", "learned", "sinusoidal"])
def test_positions_matter(positions):
    # Without them, the order of the tokens before the last one says nothing.
    swapped = TOKEN_IDS[:, [1, 0, 2, 3, 4, 5, 6]]
    blind = make_model(positions=None, num_layers=1)
    seeing = make_model(positions=positions, num_layers=1)
    for model in (blind, seeing):
        rng = np.random.default_rng(seed=2)
        noisy = [rng.normal(scale=0.5, size=w.shape) for w in model.weights]
        model.set_weights(noisy)

    def moved(model):
        before, after = (outputs_of(model(x))[0] for x in (TOKEN_IDS, swapped))
        return np.abs(before - after)[:, -1].max()

    assert (TOKEN_IDS[:, 0] != TOKEN_IDS[:, 1]).any()
    assert moved(blind) < 1e-5
    assert moved(seeing) > 1e-2


def test_logits_of_the_last_position_only():
    model = make_model()
    whole = outputs_of(model(TOKEN_IDS))[0]

    logits, state = model.step(
        ops.convert_to_tensor(TOKEN_IDS), model.initial_state(2, 9), last_only=True
    )

    assert_close(logits, whole[:, -1:], tolerance=1e-4)
    assert int(state["clock"]["index"]) == 7


def test_step_takes_numpy():
    model = make_model()
    expected = outputs_of(model(TOKEN_IDS, padding_mask=REAL))[0]

    for mask in (REAL, REAL.astype("int32")):
        logits, _ = model.step(TOKEN_IDS, model.initial_state(2, 7), mask)
        actual = ops.convert_to_numpy(logits)
        assert_close(actual[REAL], expected[REAL], tolerance=1e-4)


def test_attention_may_be_a_prototype_or_a_list():
    wide = MultiHeadAttention(2, 5, dropout=0.2, seed=3)
    model = make_model(attention=wide, num_layers=2)
    mixed = make_model(attention=["multi_head", wide], num_layers=4)

    layers = [block.attention for block in model.blocks]
    assert len({id(wide), *map(id, layers)}) == 3
    assert [layer.key_dim for layer in layers] == [5, 5]
    first, second = (layer.get_weights()[0] for layer in layers)
    assert np.abs(first - second).max() > 0.01
    assert len({layer.seed for layer in layers}) == 2
    assert [block.attention.key_dim for block in mixed.blocks] == [6, 5, 6, 5]
    again = TransformerDecoder.from_config(mixed.get_config())
    assert [block.attention.key_dim for block in again.blocks] == [6, 5, 6, 5]


def test_untied_embeddings_have_a_matrix_of_their_own():
    tied, untied = make_model(), make_model(tie_embeddings=False)

    assert untied.count_params() == tied.count_params() + 13 * 18


def test_without_biases_there_are_only_matrices_and_gains():
    model = make_model(normalization="rms", use_bias=False)

    assert {w.path.rsplit("/")[-1] for w in model.weights} == {
        "embeddings",
        "kernel",
        "scale",
    }
    assert [block.attention.rotary_wavelength for block in model.blocks] == [1e4] * 2
    assert model.final_norm.epsilon == model.blocks[0].attention_norm.epsilon == 1e-5


def test_grouped_queries_shrink_the_state():
    state = make_model(num_key_value_heads=1).initial_state(2, 5)

    shapes = [tuple(block["key"].shape) for block in state["rows"]]
    assert shapes == [(2, 1, 5, 6)] * 2


def test_dropout_in_training_only():
    model = make_model(dropout=0.3, seed=3)
    still = outputs_of(model(TOKEN_IDS))[0]

    assert_close(model(TOKEN_IDS, training=False), still, tolerance=0)
    trained = outputs_of(model(TOKEN_IDS, training=True))[0]
    assert np.abs(trained - still).max() > 1e-3


def test_the_seed_repeats_the_dropout_of_every_layer():
    first, second = (make_model(dropout=0.3, seed=3) for _ in range(2))
    second.set_weights(first.get_weights())

    one, other = (outputs_of(m(TOKEN_IDS, training=True))[0] for m in (first, second))

    assert_close(one, other, tolerance=0)
    seeds = [first.seed]
    for block in first.blocks:
        seeds += [block.seed, block.attention.seed]
    assert len(set(seeds)) == 5


def test_it_learns():
    # 20 tokens by heart; a uniform guess has loss ln 13 = 2.56.
    rng = np.random.default_rng(seed=3)
    token_ids = rng.integers(0, 13, size=(1, 21), dtype="int32")
    model = make_model(max_sequence_length=23)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)

    known, following = token_ids[:, :-1], token_ids[:, 1:]

    before = float(loss(following, model(known)))
    steps = [np.repeat(x, 60, axis=0) for x in (known, following)]
    model.fit(*steps, batch_size=1, verbose=0)

    assert before > 2.0
    assert float(loss(following, model(known))) < 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary_size": 0}, "`vocabulary_size` must be at least 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"max_sequence_length": 0}, "`max_sequence_length` must be at least 1"),
        ({"intermediate_dim": 0}, "`intermediate_dim` must be at least 1"),
        ({"num_heads": 0}, "`hidden_dim` must be a multiple of `num_heads`"),
        ({"num_heads": 5}, "`hidden_dim` must be a multiple of `num_heads`"),
        ({"hidden_dim": 0}, "`hidden_dim` must be at least 1"),
        ({"hidden_dim": 15}, "The width of a head must be even"),
        ({"num_key_value_heads": 2}, "`num_key_value_heads` must divide"),
        ({"positions": "sinusoid"}, "`positions` must be"),
        ({"attention": "manyhead"}, "`attention` must be one of"),
        ({"normalization": "batch"}, "`normalization` must be one of"),
        ({"rotary_wavelength": 0.0}, "`wavelength` must be above 0"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_model(**changes)(TOKEN_IDS)
