"""BottleneckFusion: what goes through the latents, and what a mean leaves out."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers.bottleneck_fusion import BottleneckFusion
from tests.checks import assert_close

rng = np.random.default_rng(seed=0)
STREAMS = {
    "a": rng.normal(size=(2, 3, 4)).astype("float32"),  # (B, T, D)
    "b": rng.normal(size=(2, 5, 4)).astype("float32"),
}
VISIBLE = {"a": np.ones((2, 3), "bool"), "b": np.array([[1, 1, 0, 1, 0], [0] * 5]) > 0}


def make_fusion(causal=(), **changes):
    arguments = {"num_heads": 2, "key_dim": 2, "dropout": 0.0, **changes}
    fusion = BottleneckFusion({"a": 6, "b": 7}, 3, causal, arguments)
    fusion.build(None)
    return fusion


@pytest.mark.slow_elsewhere
def test_shapes_of_what_is_read():
    read, scores = make_fusion()(STREAMS, VISIBLE)

    assert {name: tuple(x.shape) for name, x in read.items()} == {
        "a": (2, 3, 6),
        "b": (2, 5, 7),
    }
    assert set(scores["read"].values()) == {None}


def test_shares_are_of_the_writers_that_have_a_visible_step():
    # Example 0 has both, example 1 only `a`.
    shares = make_fusion().shares(VISIBLE)
    assert_close(shares["a"], [0.5, 1.0])
    assert_close(shares["b"], [0.5, 0.0])
    causal = make_fusion(causal=["b"]).shares(VISIBLE)
    assert list(causal) == ["a"]
    assert_close(causal["a"], [1.0, 1.0])


def test_a_stream_alone_meets_only_itself_and_the_latents():
    fusion = make_fusion()
    read, _ = fusion(STREAMS, VISIBLE)
    alone, _ = fusion({"a": STREAMS["a"]}, {"a": VISIBLE["a"]})

    assert_close(read["a"][1], alone["a"][1], 1e-6)  # `b` is absent there
    assert np.abs(ops.convert_to_numpy(read["a"] - alone["a"])[0]).max() > 1e-4


def test_the_streams_meet_in_the_latents_only():
    # Where nobody writes, one stream knows nothing of the other.
    fusion = make_fusion(causal=["b"])
    read, _ = fusion(STREAMS, VISIBLE)
    louder, _ = fusion({**STREAMS, "b": STREAMS["b"] + 9.0}, VISIBLE)

    assert_close(louder["a"], read["a"], 1e-6)
    assert np.abs(ops.convert_to_numpy(louder["b"] - read["b"])).max() > 1e-3


def test_relations_are_reading_times_writing():
    fusion = make_fusion()
    _, scores = fusion(STREAMS, VISIBLE, return_attention_scores=True)

    relations = fusion.relations(scores, VISIBLE)

    read, write = (
        {n: ops.convert_to_numpy(w).mean(axis=1) for n, w in scores[kind].items()}
        for kind in ("read", "write")
    )
    expected = np.zeros((2, 3, 5))
    for b, t, s, latent in np.ndindex(2, 3, 5, 3):
        share = [0.5, 0.0][b]
        expected[b, t, s] += (
            read["a"][b, t, 3 + latent] * write["b"][b, latent, s] * share
        )
    assert_close(relations["a"]["b"], expected, 1e-6)
