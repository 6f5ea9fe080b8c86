"""PatchEmbedding: its contract, its patches by a loop, its places, its errors."""

import numpy as np
import pytest

from keras_lm.layers import PatchEmbedding
from tests.checks import assert_close, outputs_of

rng = np.random.default_rng(seed=0)
IMAGES = rng.random(size=(2, 6, 9, 4)).astype("float32")  # (B, H, W, C)


def test_it_equals_a_loop():
    layer = PatchEmbedding(patch_size=3, hidden_dim=5)
    layer(IMAGES)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    kernel, bias = layer.projection.get_weights()
    positions = outputs_of(layer.positions)[0]

    hidden = outputs_of(layer(IMAGES))[0]

    assert hidden.shape == (2, 6, 5)
    for b, row, column in np.ndindex(2, 2, 3):
        patch = IMAGES[b, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
        expected = np.einsum("hwc,hwcd->d", patch, kernel) + bias
        place = 3 * row + column
        assert_close(hidden[b, place], expected + positions[place])


def test_the_configuration_makes_it_again():
    layer = PatchEmbedding(3, 5)
    copy = PatchEmbedding.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    layer(IMAGES), copy(IMAGES)
    copy.set_weights(layer.get_weights())
    assert_close(copy(IMAGES), layer(IMAGES), tolerance=0)


@pytest.mark.parametrize("name", ["patch_size", "hidden_dim"])
def test_a_size_below_one_is_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1"):
        PatchEmbedding(**{"patch_size": 3, "hidden_dim": 5, name: 0})


@pytest.mark.parametrize("shape", [(2, 7, 9, 4), (2, 6, 8, 4), (2, None, 9, 4)])
def test_an_image_that_is_no_grid_is_refused(shape):
    with pytest.raises(ValueError, match="must be multiples of `patch_size`"):
        PatchEmbedding(3, 5).build(shape)
