"""CrossFusion: who reads whom, and that nothing to read is nothing."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers.cross_fusion import CrossFusion
from tests.checks import assert_close

rng = np.random.default_rng(seed=0)
STREAMS = {
    "a": rng.normal(size=(2, 3, 4)).astype("float32"),  # (B, T, D)
    "b": rng.normal(size=(2, 5, 4)).astype("float32"),
    "c": rng.normal(size=(2, 6, 4)).astype("float32"),
}
VISIBLE = {name: np.ones(array.shape[:2], "bool") for name, array in STREAMS.items()}


def make_fusion(causal=()):
    arguments = {"num_heads": 2, "key_dim": 2, "dropout": 0.0}
    fusion = CrossFusion({"a": 7, "b": 8, "c": 9}, causal, arguments)
    fusion.build(None)
    noisy = [w + rng.normal(size=w.shape) for w in fusion.get_weights()]
    fusion.set_weights(noisy)  # biases too
    return fusion


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("causal", "sources"),
    [
        ([], {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}),
        (["c"], {"a": ["b"], "b": ["a"], "c": ["a", "b"]}),
        (["b", "c"], {"b": ["a"], "c": ["a"]}),
    ],
)
def test_each_reads_the_others_that_are_not_causal(causal, sources):
    fusion = make_fusion(causal)
    read, scores = fusion(STREAMS, VISIBLE, return_attention_scores=True)
    relations = fusion.relations(scores, VISIBLE)

    assert {name: list(found) for name, found in relations.items()} == sources
    assert {name: x.shape[2] for name, x in read.items()} == {
        name: {"a": 7, "b": 8, "c": 9}[name] for name in sources
    }


def test_relations_are_columns_of_the_weights():
    fusion = make_fusion()
    _, scores = fusion(STREAMS, VISIBLE, return_attention_scores=True)
    weights = ops.convert_to_numpy(scores["read"]["b"]).mean(axis=1)  # (B, T, 3 + 6)

    relations = fusion.relations(scores, VISIBLE)["b"]

    assert_close(relations["a"], weights[:, :, :3])
    assert_close(relations["c"], weights[:, :, 3:])


def test_nothing_to_read_is_nothing():
    hidden = {**VISIBLE, "b": np.zeros((2, 5), "bool"), "c": np.zeros((2, 6), "bool")}
    hidden["c"][1] = True

    read, _ = make_fusion()(STREAMS, hidden)

    assert_close(read["a"][0], np.zeros((3, 7)), tolerance=0)
    assert np.abs(ops.convert_to_numpy(read["a"][1])).max() > 0.1
