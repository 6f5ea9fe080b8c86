"""Perplexity: exp of the mean over all tokens, not a mean of batches' means."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.training import MaskedCrossEntropy, Perplexity
from tests.checks import assert_close

rng = np.random.default_rng(seed=0)
LOGITS = rng.normal(size=(5, 3, 7)).astype("float32")  # (B, T, V)
NEXT = rng.integers(0, 7, size=(5, 3)).astype("int32")
WEIGHTS = (rng.random(size=(5, 3)) < 0.6).astype("float32")


def test_an_even_guess_over_n_tokens_has_perplexity_n():
    perplexity = Perplexity()

    perplexity.update_state(NEXT, np.zeros((5, 3, 7), "float32"))

    assert_close(perplexity.result(), 7.0)


def test_batches_of_any_size_give_what_one_batch_gives():
    expected = ops.exp(MaskedCrossEntropy()(NEXT, LOGITS, WEIGHTS))
    perplexity = Perplexity()

    for rows in (slice(0, 1), slice(1, 5)):
        perplexity.update_state(NEXT[rows], LOGITS[rows], WEIGHTS[rows])

    assert_close(perplexity.result(), expected)
    by_batch = [
        ops.exp(MaskedCrossEntropy()(NEXT[rows], LOGITS[rows], WEIGHTS[rows]))
        for rows in (slice(0, 1), slice(1, 5))
    ]
    assert abs(float(sum(by_batch) / 2 - expected)) > 0.01  # the usual mistake


def test_padding_has_no_influence():
    next_ids = np.where(WEIGHTS > 0, NEXT, -1)
    logits = LOGITS + 100.0 * (WEIGHTS == 0)[..., None] * np.arange(7, dtype="float32")
    perplexity, expected = Perplexity(), Perplexity()

    perplexity.update_state(next_ids, logits, WEIGHTS)
    expected.update_state(NEXT, LOGITS, WEIGHTS)

    assert_close(perplexity.result(), expected.result())


def test_reset_forgets():
    perplexity = Perplexity()
    perplexity.update_state(NEXT, LOGITS * 10)
    perplexity.reset_state()
    assert_close(perplexity.result(), 1.0)

    perplexity.update_state(NEXT, LOGITS * 0)

    assert_close(perplexity.result(), 7.0)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_in_fit_with_weights(policy):
    model = keras.Sequential(
        [keras.Input((3, 2)), keras.layers.Dense(7, dtype=policy, use_bias=False)]
    )
    model.compile("sgd", MaskedCrossEntropy(), weighted_metrics=[Perplexity()])
    x = rng.normal(size=(5, 3, 2)).astype("float32")

    result = model.evaluate(
        x, NEXT, sample_weight=WEIGHTS, batch_size=2, verbose=0, return_dict=True
    )
    loss = MaskedCrossEntropy()(NEXT, model.predict(x, verbose=0), WEIGHTS)

    tolerance = 1e-5 if policy == "float32" else 1e-2
    assert_close(result["perplexity"], np.exp(float(loss)), tolerance)


def test_from_config_gives_the_same_metric():
    again = keras.metrics.deserialize(keras.metrics.serialize(Perplexity(name="ppl")))

    assert isinstance(again, Perplexity)
    assert again.name == "ppl"


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="must have the shape of `logits` without"):
        Perplexity().update_state(NEXT[:, :2], LOGITS)
