"""score_pairs: by hand, in order whatever the batches, errors."""

import numpy as np
import pytest

from keras_lm.pipelines.score_pairs import score_pairs
from tests.checks import assert_close
from tests.fakes import SumModel, random_weights


class Tokenizer:
    separator_id, padding_id = 1, 0


MODEL = SumModel(vocabulary_size=13, source_vocabulary_size=11, max_sequence_length=19)
random_weights(MODEL, seed=1)
SOURCES = [[3, 4], [5] * 6, [], [9], [10, 2]]
TARGETS = [[7], [8, 12, 3], [4], [], [6] * 18]


def scores(sources=SOURCES, targets=TARGETS, max_batch_tokens=2048):
    return score_pairs(
        MODEL, sources, targets, Tokenizer, Tokenizer, 7, max_batch_tokens
    )


def test_a_sum_over_the_target_and_its_end():
    names = ["source", "target", "kernel", "bias"]
    weights = dict(zip(names, MODEL.get_weights(), strict=True))

    found = scores()

    expected = []
    for source, target in zip(SOURCES, TARGETS, strict=True):
        vector = weights["source"][[*source, 1]].mean(axis=0)
        total, nats = np.zeros_like(vector), 0.0
        for shown, following in zip([1, *target], [*target, 1], strict=True):
            total = 0.5 * total + weights["target"][shown]
            logits = np.tanh(total + vector) @ weights["kernel"] + weights["bias"]
            nats += logits[following] - np.log(np.exp(logits).sum())
        expected.append(nats)
    assert found.dtype == "float32" and (found < 0).all()
    assert_close(found, expected, tolerance=1e-4)


def test_batches_change_nothing():
    assert_close(scores(max_batch_tokens=1), scores(), tolerance=1e-4)
    assert scores([], []).shape == (0,)


@pytest.mark.once
def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="as many sources as targets. Received: 1 sou"):
        scores([[3]], [])
    with pytest.raises(ValueError, match="A source must have at most 7 .* 8 tokens"):
        scores([[3] * 7], [[3]])
    with pytest.raises(ValueError, match="A target must have at most 19 .* 20 tokens"):
        scores([[3]], [[3] * 19])
    with pytest.raises(ValueError, match="`max_batch_tokens` must be at least 1"):
        scores(max_batch_tokens=0)
