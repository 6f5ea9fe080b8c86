"""MultimodalBlock: its contract, absence, and that its streams meet."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers import MultimodalBlock
from tests.checks import assert_close, check_layer

rng = np.random.default_rng(seed=0)
STREAMS = {
    "image": rng.normal(size=(3, 4, 6)).astype("float32"),  # (B, T, D)
    "text": rng.normal(size=(3, 5, 6)).astype("float32"),
}
MASKS = {"text": np.arange(5)[None] < np.array([[5], [0], [3]])}


def make_block(**changes):
    return MultimodalBlock(["text", "image"], 2, 6, 7, **changes)


@pytest.mark.slow_elsewhere
def test_layer_contract():
    check_layer(
        make_block(num_latents=3),
        {"streams": STREAMS, "masks": MASKS},
        [(3, 4, 6), (3, 5, 6)],
        unmoved=("key/bias",),
    )


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("fusion", ["bottleneck", "cross"])
def test_an_absent_stream_has_no_influence(fusion):
    block = make_block(fusion=fusion)
    changed = {**STREAMS, "text": STREAMS["text"] + 100.0 * ~MASKS["text"][..., None]}

    before, after = (block(streams, masks=MASKS) for streams in (STREAMS, changed))
    alone = block({"image": STREAMS["image"]})

    assert_close(after["image"], before["image"], 1e-6)
    assert_close(alone["image"][1], before["image"][1], 1e-6)
    assert (
        np.abs(ops.convert_to_numpy(alone["image"] - before["image"])[0]).max() > 1e-3
    )


def test_all_seeds_differ():
    block = make_block(dropout=0.1, seed=5)
    block.build({name: array.shape for name, array in STREAMS.items()})
    fuse = block.fusion.fuse
    layers = [
        *block.attentions.values(),
        *fuse.writers.values(),
        *fuse.readers.values(),
    ]
    seeds = [layer.seed for layer in (*layers, block.dropout_layer, block)]
    assert len(set(seeds)) == len(seeds) == 8


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="`hidden_dim` must be a multiple"):
        MultimodalBlock(["text"], 4, 6, 7)
