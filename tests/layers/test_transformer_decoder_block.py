"""TransformerDecoderBlock: its contract, its formula, its padding, its decoding."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import (
    LocalAttention,
    MultiHeadAttention,
    RegionalAttention,
    TransformerDecoderBlock,
    advance_clock,
    start_clock,
)
from tests import reference
from tests.checks import assert_close, check_decoding, check_layer, compiled, padding

rng = np.random.default_rng(seed=0)
HIDDEN = rng.normal(size=(2, 5, 6)).astype("float32")
SOURCE = rng.normal(size=(2, 7, 11)).astype("float32")  # (B, S, E)
SOURCE_REAL = padding(2, 7)


class AsAttention:
    """A block under the call of an attention layer, for `check_decoding`."""

    def __init__(self, block):
        self.block = block
        self.initial_state, self.step = block.initial_state, block.step

    def __call__(self, query, value, value_mask=None, use_causal_mask=True):
        return self.block(query, padding_mask=value_mask)


def make_block(**arguments):
    attention = MultiHeadAttention(3, 4, num_key_value_heads=1, rotary_wavelength=99.0)
    return TransformerDecoderBlock(attention, 7, **arguments)


def make_cross_block(**arguments):
    return make_block(
        cross_attention=MultiHeadAttention(2, 3, name="cross_attention"), **arguments
    )


@pytest.mark.parametrize(
    "arguments",
    [{}, {"gated": True, "normalize_first": False, "activation": "silu"}],
    ids=["first", "last, gated"],
)
def test_layer_contract(arguments):
    inputs = {"hidden": HIDDEN, "padding_mask": padding(2, 5)}

    check_layer(make_block(**arguments), inputs, output_shapes=(2, 5, 6))


@pytest.mark.parametrize("normalize_first", [True, False])
def test_equal_to_numpy(normalize_first):
    block = make_block(normalize_first=normalize_first, gated=True)
    block(HIDDEN)
    rng = np.random.default_rng(seed=1)
    block.set_weights([rng.normal(size=w.shape) for w in block.weights])
    real = padding(2, 5)
    seen = reference.causal(5, 5)[None, None] & real[:, None, None]
    weights = reference.named_weights(block)

    def part(name):
        return reference.below(weights, f"{name}/")

    def attend(x):
        return reference.multi_head_attention(
            part(block.attention.name),
            x,
            x,
            seen,
            3,
            1,
            reference.places(real),
            wavelength=99.0,
        )[0]

    def feed(x):
        return reference.feed_forward(part("feed_forward"), x, reference.gelu, True)

    expected = HIDDEN
    for sublayer, name in [(attend, "attention_norm"), (feed, "feed_forward_norm")]:
        if normalize_first:
            normal = reference.layer_norm(part(name), expected)
            expected = expected + sublayer(normal)
        else:
            sum_of_both = expected + sublayer(expected)
            expected = reference.layer_norm(part(name), sum_of_both)

    actual = ops.convert_to_numpy(block(HIDDEN, padding_mask=real))
    assert_close(actual, expected)


def test_layer_contract_with_a_source():
    check_layer(
        make_cross_block(normalize_first=False),
        {"hidden": HIDDEN, "padding_mask": padding(2, 5)}
        | {"source": SOURCE, "source_mask": SOURCE_REAL},
        output_shapes=(2, 5, 6),
        unmoved=("cross_attention/key/bias",),
    )


@pytest.mark.parametrize("normalize_first", [True, False])
def test_the_source_stands_between_the_two(normalize_first):
    block = make_cross_block(normalize_first=normalize_first)
    block(HIDDEN, source=SOURCE)
    rng = np.random.default_rng(seed=1)
    block.set_weights([rng.normal(size=w.shape) for w in block.weights])
    weights = reference.named_weights(block)
    norm = reference.below(weights, "cross_attention_norm/")

    def look(x):
        return reference.multi_head_attention(
            reference.below(weights, "cross_attention/"),
            x,
            SOURCE,
            SOURCE_REAL[:, None, None],
            2,
            2,
        )[0]

    hidden = ops.convert_to_tensor(HIDDEN)
    hidden = ops.convert_to_numpy(block.attend(hidden, None, True, False))
    if normalize_first:
        hidden = hidden + look(reference.layer_norm(norm, hidden))
    else:
        hidden = reference.layer_norm(norm, hidden + look(hidden))
    expected = block.feed(ops.convert_to_tensor(hidden, "float32"), False)

    actual = block(HIDDEN, source=SOURCE, source_mask=SOURCE_REAL)
    assert_close(actual, expected)


def test_step_by_step_equals_the_whole_with_a_source():
    block = make_cross_block()
    whole = block(HIDDEN, source=SOURCE, source_mask=SOURCE_REAL)
    real = ops.convert_to_tensor(SOURCE_REAL)
    memory = block.remember(ops.convert_to_tensor(SOURCE))

    def advance(some, state, clock, memory):
        clock, now = advance_clock(clock, some.shape[1])
        hidden, state, weights = block.step_with_weights(some, state, now, memory, real)
        return hidden, state, clock, weights

    def advance_blindly(some, state, clock, memory):
        clock, now = advance_clock(clock, some.shape[1])
        return *block.step(some, state, now, memory, real), clock

    for function in (advance, advance_blindly):
        step, outputs = compiled(function), []
        state, clock = block.initial_state(2, 6), start_clock(2, 6)
        for start, end in ((0, 2), (2, 4), (4, 5)):
            some = ops.convert_to_tensor(HIDDEN[:, start:end])
            hidden, state, clock, *weights = step(some, state, clock, memory)
            outputs.append(ops.convert_to_numpy(hidden))
            for shares in weights:
                shares = ops.convert_to_numpy(shares)
                assert shares.shape == (2, 2, end - start, 7)
                assert_close(shares.sum(axis=-1), np.ones((2, 2, end - start)))
                assert np.all(shares * ~SOURCE_REAL[:, None, None] == 0)
        assert_close(np.concatenate(outputs, axis=1), whole)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_step_by_step_equals_the_whole(normalize_first):
    block = make_block(normalize_first=normalize_first)
    block(HIDDEN)

    check_decoding(AsAttention(block), HIDDEN)


def test_an_implicit_mask_is_honoured():
    token_ids = np.array([[3, 0, 5, 2], [0, 2, 4, 1]], "int32")
    embedding = keras.layers.Embedding(7, 6, mask_zero=True)
    first, second = make_block(), make_block(normalize_first=False)
    symbol = keras.Input((None,), dtype="int32")
    model = keras.Model(symbol, second(first(embedding(symbol))))

    real = token_ids != 0
    bare = ops.convert_to_numpy(embedding(token_ids))
    expected = second(first(bare, padding_mask=real), padding_mask=real)
    output = ops.convert_to_numpy(model(token_ids))
    assert_close(output[real], ops.convert_to_numpy(expected)[real])


def test_dropout_in_training_only():
    block = make_block(dropout=0.5, seed=3)
    still = ops.convert_to_numpy(block(HIDDEN))

    assert_close(block(HIDDEN, training=False), still, tolerance=0)
    moved = ops.convert_to_numpy(block(HIDDEN, training=True)) - still
    assert np.abs(moved).max() > 1e-3


def test_the_configuration_is_the_constructor():
    block = make_block(gated=True, dropout=0.1, epsilon=1e-3, seed=5)

    config = block.get_config()
    again = TransformerDecoderBlock.from_config(config)

    assert again.get_config() == config
    assert again.attention is not block.attention
    assert again.feed_forward.gated
    assert again.attention_norm.epsilon == 1e-3
    assert again.dropout_layer.rate == 0.1


def test_a_width_below_one_is_refused():
    with pytest.raises(ValueError, match="`intermediate_dim` must be at least 1"):
        TransformerDecoderBlock(MultiHeadAttention(3, 4), 0)


@pytest.mark.parametrize(
    "attention",
    [
        LocalAttention(3, 4),
        RegionalAttention(3, 4),
        MultiHeadAttention(3, 4, rotary_wavelength=99.0),
    ],
    ids=["local", "regional", "rotary"],
)
def test_what_is_of_one_sequence_is_refused_for_two(attention):
    with pytest.raises(ValueError, match="`cross_attention` must be for two sequences"):
        make_block(cross_attention=attention)


def test_a_source_goes_with_cross_attention():
    with pytest.raises(ValueError, match="`source` must be given with"):
        make_block()(HIDDEN, source=SOURCE)
    block = make_cross_block()
    block.build((None, None, 6), (None, None, 11))
    with pytest.raises(ValueError, match="`source` must be given with"):
        block(HIDDEN)
