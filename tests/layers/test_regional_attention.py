"""RegionalAttention: its contract, its formula by hand and by a loop, its decoding."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm import models
from keras_lm.generation import generate
from keras_lm.layers import RegionalAttention
from keras_lm.layers.clock import advance_clock, start_clock
from keras_lm.layers.masks import Visibility
from tests.attention_cases import attention_cases, check_case
from tests.checks import (
    assert_close,
    check_attention,
    check_decoder,
    compiled,
    examples,
    variants,
)
from tests.reference import regional_attention

rng = np.random.default_rng(seed=0)


CONTRACTS = {
    "plain": {"num_heads": 3, "key_dim": 5, "region_size": 2},
    "grouped, rotary, dropout": {"num_heads": 4, "key_dim": 2, "region_size": 3}
    | {"neighbors": 0, "num_key_value_heads": 2, "rotary_wavelength": 100.0}
    | {"dropout": 0.3, "value_dim": 5},
}


@pytest.mark.parametrize("arguments", variants(CONTRACTS, "grouped, rotary, dropout"))
def test_attention_contract(arguments):
    check_attention(RegionalAttention, **arguments)


def make_layer(**arguments):
    """A built layer for inputs of width 6, whose `u` is not 0."""
    arguments = {"num_heads": 4, "key_dim": 2, "num_key_value_heads": 2} | arguments
    layer = RegionalAttention(**arguments)
    layer.build((None, None, 6))
    if layer.pooling == "importance":
        layer.importance.assign(3 * rng.normal(size=layer.importance.shape))
    return layer


def make_heads(length, width=2):
    """Queries, keys and values in heads."""
    shapes = [(2, heads, length, width) for heads in (4, 2, 2)]
    return [ops.convert_to_tensor(rng.normal(size=s), "float32") for s in shapes]


def attend(layer, arrays, seen):
    return compiled(lambda *heads: layer.attend(*heads, seen, training=False))(*arrays)


def weigh(layer, arrays, seen):
    return compiled(lambda *heads: layer.weigh(*heads, seen, training=False))(*arrays)


def test_a_case_done_by_hand():
    # Regions of two: {0, 1} is far from query 2. Its importances are c = 0 and ln 3, so
    # the summary's weights are 1/4 and 3/4 and its importance ln 4. The query is 0:
    # scores 0 for token 2 and ln 4 for the summary, so 1/5 and 4/5, of which the tokens
    # have 1/5 and 3/5. With `u` of 0 all three count alike.
    layer = RegionalAttention(1, 1, region_size=2, neighbors=0)
    layer.build((None, None, 1))
    query, value = (
        np.zeros((1, 1, 3, 1)),
        np.array([0.0, 5.0, 10.0]).reshape(1, 1, 3, 1),
    )
    key = np.array([0.0, 1.0, 0.0]).reshape(1, 1, 3, 1)
    arrays = [ops.convert_to_tensor(x, "float32") for x in (query, key, value)]
    for u, expected in ((math.log(3), [0.2, 0.6, 0.2]), (0.0, [1 / 3] * 3)):
        layer.importance.assign([[u]])
        _, weights = weigh(layer, arrays, Visibility(is_causal=True))
        assert_close(weights[0, 0, 2], expected)
        context = attend(layer, arrays, Visibility(is_causal=True))
        assert_close(context[0, 0, 2], [expected[1] * 5 + expected[2] * 10])


REAL = np.ones((2, 11), "bool")
REAL[0, [0, 1, 2, 6, 10]] = False  # leading padding, a hole, and padding at the end
REAL[1, 3] = False


@pytest.mark.parametrize("real", [None, REAL], ids=["all", "padded"])
@pytest.mark.parametrize("causal", [True, False])
def test_it_is_what_a_loop_gives(causal, real):
    layer = make_layer(region_size=3)
    arrays = make_heads(11)
    vector = ops.convert_to_numpy(layer.importance)
    visible, offsets = (True, [0, 0]) if real is None else (real[:, None, None], [3, 0])
    for pairs in (
        None,
        rng.random((2, 1, 11, 11)) < 0.7,
        rng.random((1, 4, 11, 11)) < 0.7,
    ):
        seen = Visibility(real, pairs, causal)
        expected, expected_weights = regional_attention(
            *map(ops.convert_to_numpy, arrays),
            vector,
            visible & (True if pairs is None else pairs),
            offsets,
            3,
            1,
            causal,
        )
        assert_close(attend(layer, arrays, seen), expected)
        context, weights = weigh(layer, arrays, seen)
        assert_close(context, expected)
        assert_close(weights, expected_weights)


@pytest.mark.slow_elsewhere
@examples(25)
@given(case=attention_cases(), size=st.integers(1, 5), neighbors=st.integers(0, 2))
def test_any_sizes_and_masks_equal_a_loop(case, size, neighbors):
    layer = make_layer(**case.sizes, region_size=size, neighbors=neighbors)
    # Regions begin at the first token, and a row without any has none.
    offsets = [int(np.argmax([*real, True])) for real in case.real]
    visible = case._replace(is_causal=False).visible

    expected = regional_attention(
        *case.heads,
        ops.convert_to_numpy(layer.importance),
        visible,
        offsets,
        size,
        neighbors,
        case.is_causal,
    )

    check_case(layer, case, *expected)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("wavelength", [None, 100.0])
def test_left_padding_moves_the_regions_with_the_text(causal, wavelength):
    layer = make_layer(region_size=3, rotary_wavelength=wavelength)
    hidden = rng.normal(size=(1, 11, 6)).astype("float32")
    call = compiled(layer, use_causal_mask=causal)
    alone = call(hidden, hidden)
    for pad in (1, 4):
        padded = np.concatenate([np.full((1, pad, 6), 9.0, "float32"), hidden], axis=1)
        real = np.arange(11 + pad)[None] >= pad
        among = call(padded, padded, value_mask=real)
        assert_close(among[:, pad:], alone)


def test_a_causal_mask_of_pairs_is_causal_use():
    # No summary may hold what its query must not see.
    layer = make_layer(region_size=2, rotary_wavelength=100.0)
    hidden, past = rng.normal(size=(2, 9, 6)).astype("float32"), np.tri(9, dtype="bool")
    for options in ({}, {"value_mask": REAL[:, :9]}):
        assert_close(
            compiled(layer)(hidden, hidden, attention_mask=past, **options),
            compiled(layer, use_causal_mask=True)(hidden, hidden, **options),
        )


def test_what_a_mask_of_pairs_hides_has_no_influence():
    layer = make_layer(region_size=2, neighbors=0)
    hidden = rng.normal(size=(1, 9, 6)).astype("float32")
    pairs = np.ones((9, 9), "bool")
    pairs[:, 4] = pairs[:, 8] = False
    louder = hidden.copy()
    louder[:, [4, 8]] += 100.0

    call = compiled(layer, return_attention_scores=True)
    before, weights = call(hidden, hidden, attention_mask=pairs)
    after = compiled(layer)(louder, louder, attention_mask=pairs)

    before, after = (ops.convert_to_numpy(x) for x in (before, after))
    rows = [0, 1, 2, 3, 5, 6, 7]
    assert_close(after[:, rows], before[:, rows], tolerance=1e-6)
    assert np.all(ops.convert_to_numpy(weights)[..., [4, 8]] == 0)


def test_importance_does_not_turn_with_the_positions():
    # Equal tokens all over: whatever `u`, each counts alike in its summary.
    layer = make_layer(region_size=3, neighbors=0, rotary_wavelength=3.0)
    # Not drawn from the module's generator, so that scores stay moderate in any order.
    token, shape = np.linspace(-1, 1, 6).reshape(1, 1, 6), layer.importance.shape
    layer.importance.assign(np.linspace(-3, 3, np.prod(shape)).reshape(shape))
    hidden = np.broadcast_to(token, (1, 9, 6)).astype("float32")
    _, weights = compiled(layer, return_attention_scores=True)(hidden, hidden)
    weights = ops.convert_to_numpy(weights)[:, :, :3, 3:].reshape(1, 4, 3, 2, 3)
    assert_close(weights, np.broadcast_to(weights[..., :1], weights.shape))
    assert weights.min() > 1e-3


@pytest.mark.slow_elsewhere
def test_mean_pooling_is_a_vector_of_zeros():
    mean, learned = make_layer(region_size=2, pooling="mean"), make_layer(region_size=2)
    hidden = rng.normal(size=(2, 9, 6)).astype("float32")
    learned.set_weights([np.zeros((2, 2)), *mean.get_weights()])
    assert len(mean.weights) == len(learned.weights) - 1
    before = ops.convert_to_numpy(learned(hidden))
    assert_close(mean(hidden), before)
    learned.importance.assign(np.ones((2, 2)))
    assert np.abs(before - ops.convert_to_numpy(learned(hidden))).max() > 1e-3


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("causal", [True, False])
def test_regions_are_related_by_the_mean_weights_of_their_queries(causal):
    layer = make_layer(region_size=3)
    hidden = rng.normal(size=(2, 11, 6)).astype("float32")
    _, weights = layer(
        hidden,
        hidden,
        value_mask=REAL,
        use_causal_mask=causal,
        return_attention_scores=True,
    )

    relation = layer.relate_regions(hidden, value_mask=REAL, use_causal_mask=causal)

    weights, relation = map(ops.convert_to_numpy, (weights, relation))
    assert relation.shape == (2, 4, 4, 4)
    for row, region, seen in np.ndindex(2, 4, 4):
        slots = [
            [t for t in range(11) if REAL[row, t] and (t - [3, 0][row]) // 3 == n]
            for n in (region, seen)
        ]
        expected = weights[row][:, slots[0]][:, :, slots[1]].sum(axis=-1)
        expected = expected.mean(axis=-1) if slots[0] else np.zeros(4)
        assert_close(relation[row, :, region, seen], expected)
    sums = [[1, 1, 1, 0], [1, 1, 1, 1]]  # the padded row has three regions
    assert_close(relation.sum(axis=-1), np.repeat(np.array(sums)[:, None], 4, axis=1))
    whole = layer.relate_regions(hidden)
    assert_close(ops.sum(whole, axis=-1), np.ones((2, 4, 4)))


def test_the_state_holds_near_tokens_and_a_summary_of_each_region():
    layer = make_layer(region_size=5, neighbors=2)
    state = layer.initial_state(3, 1001)
    assert tuple(state["near"]["key"].shape) == (3, 2, 15, 2)
    assert tuple(state["regions"]["key"].shape) == (3, 2, 201, 2)
    assert tuple(state["offset"].shape) == (3,)
    sizes = [
        math.prod(array.shape)
        for part in ("near", "regions")
        for array in state[part].values()
    ]
    assert sum(sizes) < 3 * 2 * 1001 * 4 / 2  # less than half of all keys and values


LONG = np.ones((3, 34), "bool")
LONG[0, :6] = LONG[1, :23] = False
LONG[0, [9, 17, 18, 19, 20, 30]] = LONG[2, [3, 33]] = False


@pytest.mark.parametrize("piece", [1, 4, 17])
@pytest.mark.parametrize("real", [None, LONG], ids=["all", "padded"])
def test_a_text_of_many_regions_is_decoded_as_at_once(piece, real):
    layer = make_layer(region_size=3, rotary_wavelength=100.0)
    hidden = rng.normal(size=(3, 34, 6)).astype("float32")

    def advance(some, state, clock, mask):
        clock, now = advance_clock(clock, some.shape[1], mask)
        return *layer.step(some, state, now), clock

    step = compiled(advance)
    clock, state, outputs = start_clock(3, 40), layer.initial_state(3, 40), []
    for start in range(0, 34, piece):
        some = ops.convert_to_tensor(hidden[:, start : start + piece])
        mask = None if real is None else real[:, start : start + piece]
        output, state, clock = step(some, state, clock, mask)
        outputs.append(ops.convert_to_numpy(output))
    whole = compiled(layer, use_causal_mask=True)(hidden, hidden, value_mask=real)
    rows = 1.0 if real is None else real[..., None]  # padding turns by other places
    whole = ops.convert_to_numpy(whole)
    assert_close(np.concatenate(outputs, axis=1) * rows, whole * rows)


def make_model(attention):
    model = models.TransformerDecoder(13, 2, 2, 8, 12, 32, attention=attention)
    draw = np.random.default_rng(seed=3)
    jittered = [w + 0.3 * draw.normal(size=w.shape) for w in model.get_weights()]
    model.set_weights(jittered)
    return model


@pytest.mark.slow_elsewhere
def test_a_model_decodes():
    model = make_model("regional")
    assert isinstance(model.blocks[0].attention, RegionalAttention)
    check_decoder(model, rng.integers(0, 13, (2, 7), dtype="int32"))


@pytest.mark.slow_elsewhere
def test_left_padded_prompts_are_continued_as_each_alone():
    model = make_model(
        RegionalAttention(2, 4, region_size=2, neighbors=0, rotary_wavelength=100.0)
    )
    prompts = [rng.integers(0, 13, n).tolist() for n in (9, 4)]

    together = generate(model, prompts, 6)

    assert_close(together[1:], generate(model, prompts[1:], 6), tolerance=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"region_size": 0}, "`region_size` must be at least 1"),
        ({"neighbors": -1}, "`neighbors` must be at least 0"),
        ({"pooling": "max"}, '`pooling` must be "importance" or "mean"'),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RegionalAttention(2, 3, **arguments)


def test_cross_attention_is_refused():
    query, value = np.zeros((1, 5, 6), "float32"), np.zeros((1, 7, 6), "float32")
    layer = RegionalAttention(2, 3)
    for scores in (False, True):
        with pytest.raises(ValueError, match="queries and keys must have one length"):
            layer(query, value, return_attention_scores=scores)
