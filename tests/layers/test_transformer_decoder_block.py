"""TransformerDecoderBlock: its contract, its formula, its padding, its decoding."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import MultiHeadAttention, TransformerDecoderBlock
from tests import reference
from tests.checks import assert_close, check_decoding, check_layer, padding

HIDDEN = np.random.default_rng(seed=0).normal(size=(2, 5, 6)).astype("float32")


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
