"""TransformerEncoderDecoder: its contract, a loop, decoding, learning, its errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.generation import beam_search
from keras_lm.layers import LocalAttention, MultiHeadAttention
from keras_lm.models import TransformerEncoderDecoder
from tests import reference
from tests.checks import assert_close, check_model, outputs_of, variants
from tests.encoder_decoders import (
    ARRAYS,
    NEXT_IDS,
    SOURCE_IDS,
    SOURCE_REAL,
    TARGET_IDS,
    TARGET_REAL,
    check_beams,
    check_beams_of_one,
    check_encoder_decoder,
    check_it_learns_to_reverse,
)
from tests.fakes import random_weights

SIZES = {
    "vocabulary_size": 13,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 18,
    "intermediate_dim": 11,
    "max_sequence_length": 19,
}
VARIANTS = {
    "rotary": {"num_key_value_heads": 1},
    "learned": {"positions": "learned", "gated": True, "activation": "silu"}
    | {"normalize_first": False, "tie_embeddings": False, "share_embeddings": False}
    | {"source_vocabulary_size": 17},
    "bart": {"positions": "learned", "share_positions": False, "outer_norm": "first"}
    | {"normalize_first": False, "scale_embeddings": True, "logits_bias": True},
}


def make_model(**changes):
    return TransformerEncoderDecoder(**{**SIZES, **changes})


@pytest.mark.parametrize("changes", variants(VARIANTS, "rotary"))
def test_model_contract(changes):
    check_model(
        make_model(num_layers=1, **changes),
        ARRAYS,
        (2, 7, 13),
        targets=NEXT_IDS,
        # Where nothing turns, key biases shift all scores of a query alike.
        unmoved=("key/bias",),
    )


KINDS = {
    **VARIANTS,
    "of kinds": {"attention": ["local", "dynamic"]}
    | {"cross_attention": ["bayesian", "dynamic"], "positions": None},
}


@pytest.mark.parametrize("changes", variants(KINDS, "of kinds"))
def test_encoder_decoder_contract(changes):
    model = make_model(**changes)
    random_weights(model, seed=2)

    check_encoder_decoder(model)


def test_it_equals_a_loop():
    model = make_model(num_layers=1)
    random_weights(model, seed=2)
    weights = reference.named_weights(model)
    embeddings = weights["token_embedding/embeddings"]

    def part(name):
        return reference.below(weights, f"{name}/")

    def add(hidden, block, name, sublayer):
        normal = reference.layer_norm(part(f"{block}/{name}_norm"), hidden)
        return hidden + sublayer(part(f"{block}/{name}"), normal)

    def attend(real, causal=False):
        seen = np.broadcast_to(
            real[:, None, None], (2, 1, real.shape[1], real.shape[1])
        )
        if causal:
            seen = seen & reference.causal(*seen.shape[2:])
        places = reference.places(real)
        return lambda w, x: reference.multi_head_attention(w, x, x, seen, 3, 3, places)[
            0
        ]

    def feed(w, x):
        return reference.feed_forward(w, x, reference.gelu)

    source = add(
        embeddings[SOURCE_IDS], "encoder_block_0", "attention", attend(SOURCE_REAL)
    )
    source = add(source, "encoder_block_0", "feed_forward", feed)
    source = reference.layer_norm(part("encoder_norm"), source)

    def look(w, x):
        seen = SOURCE_REAL[:, None, None]
        return reference.multi_head_attention(w, x, source, seen, 3, 3)[0]

    hidden = embeddings[TARGET_IDS]
    for name, sublayer in [
        ("attention", attend(TARGET_REAL, causal=True)),
        ("cross_attention", look),
        ("feed_forward", feed),
    ]:
        hidden = add(hidden, "decoder_block_0", name, sublayer)
    expected = reference.layer_norm(part("decoder_norm"), hidden) @ embeddings.T

    logits = outputs_of(model(**ARRAYS))[0]

    assert_close(logits[TARGET_REAL], expected[TARGET_REAL], tolerance=1e-4)


def test_beam_search():
    model = make_model(tie_embeddings=False)
    random_weights(model, seed=2)

    keys = model.decoder_blocks[1].cross_attention.key_projection
    found = check_beams(model, 7, keys)

    # The same on each backend: PyTorch gave these.
    assert found.token_ids.tolist() == [
        [[0, 7, 7, 7], [0, 12, 0, 7], [0, 8, 0, 7]],
        [[2, 4, 4, 4], [2, 9, 4, 4], [2, 4, 5, 4]],
        [[8, 5, 5, 5], [2, 10, 7, 7], [2, 5, 7, 7]],
    ]
    assert_close(
        found.scores,
        [[-0.8323, -1.5497, -2.1159], [-1.115, -1.2955, -1.7208]]
        + [[-0.9531, -1.1292, -1.2611]],
        1e-4,
    )


@pytest.mark.slow_elsewhere
def test_beams_of_one():
    model = make_model(tie_embeddings=False)
    random_weights(model, seed=2)

    check_beams_of_one(model, 7)


def test_attention_is_that_of_the_last_block():
    model = make_model(num_layers=2)
    random_weights(model, seed=2)
    source = {"token_ids": SOURCE_IDS, "padding_mask": SOURCE_REAL}
    tokens = ops.convert_to_tensor(TARGET_IDS)
    *_, expected = model.step_with_attention(tokens, model.initial_state(source, 7))

    query = model.decoder_blocks[0].cross_attention.query_projection
    query.kernel.assign(0 * query.kernel)
    *_, after = model.step_with_attention(tokens, model.initial_state(source, 7))
    query = model.decoder_blocks[1].cross_attention.query_projection
    query.kernel.assign(0 * query.kernel)
    *_, even = model.step_with_attention(tokens, model.initial_state(source, 7))

    # The first block's queries change what the last one sees; without its own, the last
    # looks at all alike.
    assert np.abs(ops.convert_to_numpy(after - expected)).max() > 1e-4
    count = SOURCE_REAL.sum(axis=1)[:, None, None]
    assert_close(even, np.broadcast_to(SOURCE_REAL[:, None] / count, (2, 7, 5)))


def test_a_state_without_a_mask_sees_the_whole_source():
    model = make_model()
    everywhere = {"token_ids": SOURCE_IDS, "padding_mask": np.ones((2, 5), "bool")}

    states = [
        model.initial_state(source, 7)
        for source in ({"token_ids": SOURCE_IDS}, everywhere)
    ]

    logits = [model.step(TARGET_IDS, state)[0] for state in states]
    assert_close(logits[0], logits[1], tolerance=0)
    assert_close(logits[0], model(SOURCE_IDS, TARGET_IDS), tolerance=1e-4)


@pytest.mark.slow_elsewhere
def test_a_dictionary_is_the_same_as_its_arrays():
    model = make_model()

    assert_close(model(ARRAYS), model(**ARRAYS), tolerance=0)


@pytest.mark.slow_elsewhere
def test_embeddings_are_one_table_or_several():
    shared = make_model()
    apart = make_model(share_embeddings=False, source_vocabulary_size=17)
    all_apart = make_model(share_embeddings=False, tie_embeddings=False)

    assert apart.count_params() == shared.count_params() + 17 * 18
    assert all_apart.count_params() == shared.count_params() + 2 * 13 * 18


@pytest.mark.slow_elsewhere
def test_what_stands_before_and_behind_the_blocks():
    plain, bare = make_model(), make_model(outer_norm=None)
    apart = {"positions": "learned", "share_positions": False}

    assert bare.count_params() == plain.count_params() - 4 * 18
    assert make_model(logits_bias=True).count_params() == plain.count_params() + 13
    assert make_model(**apart).count_params() == plain.count_params() + 2 * 19 * 18
    # Without blocks' weights, norms and positions, logits are products of embeddings.
    model = make_model(positions=None, outer_norm=None, logits_bias=True)
    scaled = make_model(
        positions=None, outer_norm=None, logits_bias=True, scale_embeddings=True
    )
    for one in (model, scaled):
        one.set_weights([np.zeros(w.shape) for w in one.weights])
        embeddings = np.random.default_rng(seed=2).normal(size=(13, 18))
        one.token_embedding.embeddings.assign(embeddings)
        one.token_bias.assign(np.arange(13.0))
    products = (embeddings @ embeddings.T)[TARGET_IDS]
    bias = np.arange(13.0)

    assert_close(model(SOURCE_IDS, TARGET_IDS), products + bias, tolerance=1e-4)
    assert_close(
        scaled(SOURCE_IDS, TARGET_IDS), 18**0.5 * products + bias, tolerance=1e-4
    )


@pytest.mark.slow_elsewhere
def test_attention_may_be_a_prototype_or_a_list():
    wide, local = MultiHeadAttention(2, 5), LocalAttention(3, 4, window=3)
    model = make_model(attention=[wide, local], cross_attention=wide)

    for blocks in (model.encoder_blocks, model.decoder_blocks):
        assert [type(block.attention) for block in blocks] == [type(wide), type(local)]
    crossing = [block.cross_attention for block in model.decoder_blocks]
    assert [layer.key_dim for layer in crossing] == [5, 5]
    layers = [block.attention for block in model.encoder_blocks + model.decoder_blocks]
    assert len({id(layer) for layer in [*layers, *crossing, wide, local]}) == 8
    again = TransformerEncoderDecoder.from_config(model.get_config())
    assert again.get_config() == model.get_config()


@pytest.mark.slow_elsewhere
def test_the_seed_repeats_the_dropout_of_every_layer():
    first, second = (make_model(dropout=0.3, seed=3) for _ in range(2))
    second.set_weights(first.get_weights())
    still = outputs_of(first(**ARRAYS))[0]

    one, other = (outputs_of(m(**ARRAYS, training=True))[0] for m in (first, second))

    assert_close(one, other, tolerance=0)
    assert np.abs(one - still).max() > 1e-3
    assert_close(first(**ARRAYS, training=False), still, tolerance=0)
    seeds = [first.seed]
    for block in first.encoder_blocks + first.decoder_blocks:
        seeds += [block.seed, block.attention.seed]
    seeds += [block.cross_attention.seed for block in first.decoder_blocks]
    assert len(set(seeds)) == len(seeds) == 11


@pytest.mark.slow_elsewhere
def test_it_learns_to_reverse():
    model = make_model(
        num_layers=1, num_heads=2, hidden_dim=32, intermediate_dim=64, seed=1
    )

    check_it_learns_to_reverse(model, num_steps=100, learning_rate=0.01)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary_size": 0}, "`vocabulary_size` must be at least 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"max_sequence_length": 0}, "`max_sequence_length` must be at least 1"),
        ({"num_heads": 5}, "`hidden_dim` must be a multiple of `num_heads`"),
        ({"positions": "sinusoid"}, "`positions` must be one of"),
        ({"outer_norm": "middle"}, "`outer_norm` must be one of"),
        ({"attention": "manyhead"}, "`attention` must be one of"),
        ({"cross_attention": "manyhead"}, "`cross_attention` must be one of"),
        ({"cross_attention": "local"}, "`cross_attention` must be for two sequences"),
        ({"cross_attention": "regional"}, "`cross_attention` must be for two"),
        (
            {"cross_attention": MultiHeadAttention(3, 6, rotary_wavelength=9.0)},
            "`cross_attention` must be for two sequences",
        ),
        ({"source_vocabulary_size": 17}, "`source_vocabulary_size` must be `vocabul"),
        ({"source_vocabulary_size": 0}, "`source_vocabulary_size` must be at least 1"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_model(**changes)


def test_a_call_without_a_target_is_refused():
    with pytest.raises(ValueError, match="`decoder_token_ids` must be given"):
        make_model()(SOURCE_IDS)


@pytest.mark.slow_elsewhere
def test_a_source_longer_than_the_learned_places_is_refused():
    learned = make_model(positions="learned")
    source = [[1] * 19, [2] * 20]

    beam_search(learned, source[:1], 1, 1, 2)  # 19, padded to 32
    with pytest.raises(ValueError, match="at most 19 tokens.* Received: 20 in row 1"):
        beam_search(learned, source, 1, 1, 2)
    found = beam_search(make_model(), source, 1, 1, 2)  # has no such limit

    assert found.token_ids.shape == (2, 1, 2)
