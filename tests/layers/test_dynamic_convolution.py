"""DynamicConvolution: its contract, its formula, its reach, its state, its errors."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import DynamicConvolution
from keras_lm.layers.clock import advance_clock, start_clock
from tests import reference
from tests.checks import assert_close, check_layer, compiled, examples, padding

rng = np.random.default_rng(seed=0)
INPUTS = rng.normal(size=(2, 7, 6)).astype("float32")  # (B, T, E)


def make(*arguments, **options):
    layer = DynamicConvolution(*arguments, **options)
    layer.build((None, None, 6))
    return layer


@pytest.mark.parametrize(
    "arguments",
    [{"dropout": 0.3}, {"dynamic": False, "padding": "same", "gated": False}],
    ids=["dynamic, causal", "light, same"],
)
def test_layer_contract(arguments):
    check_layer(
        DynamicConvolution(num_heads=3, kernel_size=4, **arguments),
        {"inputs": INPUTS, "padding_mask": padding(2, 7)},
        [(2, 7, 6), (2, 3, 7, 4)],
        trains_mixed=True,
        return_attention_scores=True,
    )


def test_a_case_done_by_hand():
    # Two taps, W = (0, ln 3 / 2), so that an input of 2 weighs itself 3/4 and the one
    # before 1/4; the first position has only itself. Projections are 1.
    layer = DynamicConvolution(1, 2, gated=False, use_bias=False)
    inputs = np.array([[[6.0], [2.0]]])
    layer(inputs)
    layer.input_projection.set_weights([np.ones((1, 1))])
    layer.output_projection.set_weights([np.ones((1, 1))])
    layer.tap_projection.set_weights([np.array([[0.0, math.log(3) / 2]])])

    output, weights = layer(inputs, return_attention_scores=True)

    assert_close(weights, [[[[0, 1], [1 / 4, 3 / 4]]]])
    assert_close(output, [[[6.0], [3.0]]])


def loop(layer, inputs, real):
    """The docstring's formula, a tap at a time."""
    named = reference.named_weights(layer)
    units = reference.dense(named, "input", inputs)
    batch, steps, width = inputs.shape
    if layer.gated:
        units = units[..., :width] / (1 + np.exp(-units[..., width:]))
    heads, size = layer.num_heads, layer.kernel_size
    left = size - 1 if layer.padding == "causal" else (size - 1) // 2
    context = np.zeros((batch, steps, width))
    weights = np.zeros((batch, heads, steps, size))
    for b, h, t in np.ndindex(batch, heads, steps):
        if layer.dynamic:
            scores = (units[b, t] @ named["tap/kernel"])[h * size : (h + 1) * size]
        else:
            scores = named["tap_scores"][h]
        places = [t - left + j for j in range(size)]
        seen = [j for j, s in enumerate(places) if 0 <= s < steps and real[b, s]]
        shares = {j: math.exp(scores[j]) for j in seen}
        part = slice(h * width // heads, (h + 1) * width // heads)
        for j in seen:
            weights[b, h, t, j] = shares[j] / sum(shares.values())
            context[b, t, part] += weights[b, h, t, j] * units[b, places[j], part]
    return reference.dense(named, "output", context), weights


@examples(20)
@given(
    shape=st.sampled_from([(1, 1), (2, 5)]),
    num_heads=st.sampled_from([1, 3]),
    kernel_size=st.sampled_from([1, 2, 5]),
    options=st.fixed_dictionaries(
        {
            "dynamic": st.booleans(),
            "padding": st.sampled_from(["causal", "same"]),
            "gated": st.booleans(),
        }
    ),
    chance=st.sampled_from([0.0, 0.6, 1.0]),
    seed=st.integers(0, 99),
)
def test_it_equals_a_loop(shape, num_heads, kernel_size, options, chance, seed):
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(*shape, 6)).astype("float32")
    real = draw.random(shape) < chance
    layer = make(num_heads, kernel_size, **options)

    output, weights = layer(inputs, padding_mask=real, return_attention_scores=True)

    expected, expected_weights = loop(layer, inputs, real)
    assert_close(output, expected)
    assert_close(weights, expected_weights)
    assert_close(layer(inputs, padding_mask=real), expected)


@pytest.mark.parametrize(
    ("padding_kind", "before", "after"), [("causal", 3, 0), ("same", 1, 2)]
)
@pytest.mark.parametrize("dynamic", [True, False])
def test_it_reaches_its_taps_and_nothing_else(padding_kind, before, after, dynamic):
    layer = make(2, 4, dynamic=dynamic, padding=padding_kind)
    plain = ops.convert_to_numpy(layer(INPUTS))
    for place in range(7):
        louder = INPUTS.copy()
        louder[:, place] += 3.0
        moved = np.abs(ops.convert_to_numpy(layer(louder)) - plain).max(axis=(0, 2))
        near = [-after <= t - place <= before for t in range(7)]
        assert (moved > 1e-6).tolist() == near


@pytest.mark.parametrize("padding_kind", ["causal", "same"])
def test_padding_has_no_influence_on_real_positions(padding_kind):
    layer = make(2, 3, padding=padding_kind)
    real = padding(2, 7)
    louder = np.where(real[..., None], INPUTS, INPUTS + 100.0)
    plain = ops.convert_to_numpy(layer(INPUTS, padding_mask=real))
    after = ops.convert_to_numpy(layer(louder, padding_mask=real))
    assert_close(after[real], plain[real], 1e-6)
    alone = layer(INPUTS)
    for left, right in ((2, 0), (0, 3)):
        among = np.pad(INPUTS, ((0, 0), (left, right), (0, 0)), constant_values=9.0)
        mask = np.zeros(among.shape[:2], "bool")
        mask[:, left : left + 7] = True
        among = ops.convert_to_numpy(layer(among, padding_mask=mask))
        assert_close(among[:, left : left + 7], alone)


def test_weights_are_means_over_real_taps():
    real = padding(2, 7)
    real[1, 3:] = False
    _, weights = make(3, 2)(INPUTS, padding_mask=real, return_attention_scores=True)
    weights = ops.convert_to_numpy(weights)
    before = np.pad(real, ((0, 0), (1, 0)))[:, :-1]
    assert np.all(weights >= 0)
    assert np.all(weights * ~np.stack([before, real], axis=-1)[:, None] == 0)
    sees = np.broadcast_to((before | real)[:, None], (2, 3, 7))
    assert_close(weights.sum(axis=-1), sees)


def test_the_light_form_has_the_same_weights_everywhere():
    _, weights = make(3, 2, dynamic=False)(INPUTS, return_attention_scores=True)
    assert tuple(weights.shape) == (2, 3, 7, 2)
    later = weights[:, :, 1:]  # the first position lacks a tap
    assert_close(later, ops.broadcast_to(later[:1, :, :1], (2, 3, 6, 2)))


@pytest.mark.parametrize("arguments", [(3, 4), (2, 1), (1, 9)])
@pytest.mark.parametrize("side", ["none", "right", "left"])
def test_steps_equal_the_whole_sequence(arguments, side):
    layer = make(*arguments)
    real = None if side == "none" else padding(2, 7, left=side == "left")
    whole = ops.convert_to_numpy(layer(INPUTS, padding_mask=real))

    def advance(some, state, clock, mask):
        clock, now = advance_clock(clock, some.shape[1], mask)
        return *layer.step(some, state, now), clock

    step = compiled(advance)
    for piece in (1, 3):
        clock, state, outputs = start_clock(2, 9), layer.initial_state(2, 9), []
        for start in range(0, 7, piece):
            some = ops.convert_to_tensor(INPUTS[:, start : start + piece])
            mask = None if real is None else real[:, start : start + piece]
            output, state, clock = step(some, state, clock, mask)
            outputs.append(ops.convert_to_numpy(output))
            assert tuple(state["units"].shape) == (2, arguments[1] - 1, 6)
        rows = 1.0 if real is None else real[..., None]
        assert_close(np.concatenate(outputs, axis=1) * rows, whole * rows)


def test_dropout_drops_weights_in_training_only():
    layer = make(2, 5, dropout=0.5, seed=3)
    layer_plain = make(2, 5)
    layer_plain.set_weights(
        [x for x, w in zip(layer.get_weights(), layer.weights) if "seed" not in w.path]
    )
    assert_close(layer(INPUTS), layer_plain(INPUTS))
    difference = layer(INPUTS, training=True) - layer(INPUTS)
    assert np.abs(ops.convert_to_numpy(difference)).max() > 1e-3


def test_a_mask_that_keras_hands_on_is_honoured():
    token_ids = np.array([[3, 1, 0, 4], [0, 5, 4, 0]])
    embedding = keras.layers.Embedding(6, 4, mask_zero=True)
    layer, inputs = DynamicConvolution(2, 3), keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, layer(embedding(inputs)))
    embedded = ops.convert_to_numpy(embedding(token_ids))
    expected = layer(embedded, padding_mask=token_ids > 0)
    assert_close(model(token_ids), expected)


def test_the_configuration_is_the_constructor():
    arguments = {
        "num_heads": 3,
        "kernel_size": 4,
        "dynamic": False,
        "padding": "same",
        "gated": False,
        "dropout": 0.2,
        "use_bias": False,
        "seed": 5,
    }
    config = DynamicConvolution(**arguments).get_config()
    assert {name: config[name] for name in arguments} == arguments
    assert set(config) == {*arguments, "name", "trainable", "dtype"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be at least 1"),
        ({"kernel_size": 0}, "`kernel_size` must be at least 1"),
        ({"padding": "valid"}, "`padding` must be one of"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
        ({"dropout": -0.1}, "`dropout` must be at least 0 and below 1"),
        ({"num_heads": 4}, "`num_heads` must divide the width"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**{"num_heads": 3, "kernel_size": 2, **changes})


@pytest.mark.parametrize(
    "layer", [DynamicConvolution(3, 2), make(3, 2, padding="same")]
)
def test_only_a_built_causal_layer_decodes(layer):
    with pytest.raises(ValueError, match="To decode, the layer must be built"):
        layer.initial_state(2, 9)
