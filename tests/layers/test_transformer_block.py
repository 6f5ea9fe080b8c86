"""TransformerBlock, the skeleton: its sub-layers one by one, its configuration."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers import MultiHeadAttention, TransformerBlock
from tests.checks import assert_close

HIDDEN = np.random.default_rng(seed=0).normal(size=(2, 5, 6)).astype("float32")


class Fed(TransformerBlock):
    """The smallest final class."""

    def call(self, hidden, training=None):
        return self.feed(hidden, training)


def make_block(**arguments):
    return Fed(MultiHeadAttention(3, 4), 7, **arguments)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_a_sub_layer_is_added(normalize_first):
    # The sub-layer doubles, the norm takes 1 away.
    block = make_block(normalize_first=normalize_first)

    new = block.add(
        ops.convert_to_tensor(HIDDEN), lambda x: 2 * x, lambda x: x - 1, training=False
    )

    expected = HIDDEN + 2 * (HIDDEN - 1) if normalize_first else 3 * HIDDEN - 1
    assert_close(new, expected)


def test_a_dropped_sub_layer_leaves_its_input():
    block = make_block(dropout=0.5, seed=3)

    new = block.add(
        ops.convert_to_tensor(HIDDEN), lambda x: 0 * x + 1.0, lambda x: x, training=True
    )

    added = ops.convert_to_numpy(new) - HIDDEN
    kept = np.isclose(added, 2.0, atol=1e-5)
    assert np.all(kept | np.isclose(added, 0.0, atol=1e-5))
    assert 0.2 < kept.mean() < 0.8


def test_a_final_class_says_what_follows():
    block = make_block()
    block(HIDDEN)
    expected = HIDDEN + ops.convert_to_numpy(
        block.feed_forward(block.feed_forward_norm(HIDDEN))
    )

    assert_close(block(HIDDEN), expected)
    config = block.get_config()
    assert Fed.from_config(config).get_config() == config


def test_normalisation_and_biases_are_chosen():
    block = make_block(normalization="rms", use_bias=False, epsilon=0.5)
    block(HIDDEN)
    own = [w.path for w in block.weights if "multi_head" not in w.path]

    assert [path.split("/", 1)[1] for path in own] == [
        "feed_forward/inner/kernel",
        "feed_forward/output/kernel",
        "attention_norm/scale",
        "feed_forward_norm/scale",
    ]
    assert block.attention_norm.epsilon == 0.5
    again = Fed.from_config(block.get_config())
    assert again.get_config() == block.get_config()
    assert (again.normalization, again.feed_forward.use_bias) == ("rms", False)
