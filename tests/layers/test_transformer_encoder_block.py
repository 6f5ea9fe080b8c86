"""TransformerEncoderBlock: its contract, its formula, its padding, both sides."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers import (
    LocalAttention,
    MultiHeadAttention,
    RegionalAttention,
    TransformerEncoderBlock,
)
from tests import reference
from tests.checks import assert_close, check_layer, compiled, padding

HIDDEN = np.random.default_rng(seed=0).normal(size=(2, 5, 6)).astype("float32")
REAL = padding(2, 5)


def make_block(attention=None, **arguments):
    attention = attention or MultiHeadAttention(3, 4, rotary_wavelength=99.0)
    return TransformerEncoderBlock(attention, 7, **arguments)


def test_layer_contract():
    block = make_block(gated=True, normalize_first=False, activation="silu")

    check_layer(block, {"hidden": HIDDEN, "padding_mask": REAL}, (2, 5, 6))


def test_equal_to_numpy():
    block = make_block()
    block(HIDDEN)
    rng = np.random.default_rng(seed=1)
    block.set_weights([rng.normal(size=w.shape) for w in block.weights])
    weights = reference.named_weights(block)

    def part(name):
        return reference.below(weights, f"{name}/")

    normal = reference.layer_norm(part("attention_norm"), HIDDEN)
    attended, _ = reference.multi_head_attention(
        part(block.attention.name),
        normal,
        normal,
        REAL[:, None, None],
        3,
        3,
        reference.places(REAL),
        wavelength=99.0,
    )
    expected = HIDDEN + attended
    normal = reference.layer_norm(part("feed_forward_norm"), expected)
    expected = expected + reference.feed_forward(
        part("feed_forward"), normal, reference.gelu
    )

    assert_close(block(HIDDEN, padding_mask=REAL), expected)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("kind", ["multi_head", "local", "regional"])
def test_each_step_sees_both_sides_and_no_padding(kind):
    attention = {
        "multi_head": MultiHeadAttention(3, 4),
        "local": LocalAttention(3, 4, window=3),
        "regional": RegionalAttention(3, 4, region_size=2),
    }[kind]
    block = make_block(attention)
    block(HIDDEN)
    call = compiled(block)
    before = ops.convert_to_numpy(call(HIDDEN, padding_mask=REAL))

    louder = np.where(REAL[..., None], HIDDEN, -2 * HIDDEN)
    padded = ops.convert_to_numpy(call(louder, padding_mask=REAL))
    later = HIDDEN.copy()
    later[:, 3] *= -1  # real in both rows
    after = ops.convert_to_numpy(call(later, padding_mask=REAL))

    np.testing.assert_allclose(padded[REAL], before[REAL], atol=1e-5)
    moved = np.abs(after - before).max(axis=-1)
    assert moved[0, 2] > 1e-4
    assert moved[1, 1] > 1e-4


def test_dropout_in_training_only():
    block = make_block(dropout=0.5, seed=3)
    still = ops.convert_to_numpy(block(HIDDEN))

    assert_close(block(HIDDEN, training=False), still, tolerance=0)
    assert np.abs(ops.convert_to_numpy(block(HIDDEN, training=True)) - still).max() > 0
