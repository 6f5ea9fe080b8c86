"""NGramModel: counts done by hand, distributions, weights that fit, errors."""

import numpy as np
import pytest

from keras_lm.training import NGramModel
from keras_lm.training.n_gram_model import _tune as tune

pytestmark = pytest.mark.once
VOCABULARY_SIZE = 7
rng = np.random.default_rng(seed=0)
# Token n is mostly followed by 2 n; token 6 is in the held-out part only.
CHAIN = np.where(rng.random(500) < 0.8, 2 * np.arange(500) % 5, rng.integers(0, 5, 500))
HELD_OUT = np.append(CHAIN[:50], [6, 3, 6])


def fitted(order):
    model = NGramModel(order, VOCABULARY_SIZE)
    model.fit(CHAIN, HELD_OUT)
    return model


def test_a_unigram_model_done_by_hand():
    # 0 is context only; of 1 1 2 1 three quarters are 1.
    model = NGramModel(order=1, vocabulary_size=4)
    model.fit(np.array([0, 1, 1, 2, 1]), held_out_ids=np.array([0, 1, 1]))
    model.weights = np.array([0.2, 0.8])

    chances = model.probabilities(np.zeros(4, int), np.arange(4))

    np.testing.assert_allclose(chances, [0.05, 0.65, 0.25, 0.05])
    # exp of the mean of -ln 0.65 and -ln 0.05, whatever the first token is.
    perplexity = (0.65 * 0.05) ** -0.5
    assert model.perplexity(np.array([2, 1, 3])) == pytest.approx(perplexity)


def test_a_bigram_model_done_by_hand():
    # Pairs 0-1, 1-1, 1-2, 2-1: after 1 comes 1 or 2; nothing is known after 3.
    model = NGramModel(order=2, vocabulary_size=4)
    model.fit(np.array([0, 1, 1, 2, 1]), held_out_ids=np.array([0, 1, 1]))
    model.weights = np.array([0.2, 0.3, 0.5])

    after_1 = model.probabilities(np.full(4, 1), np.arange(4))
    after_3 = model.probabilities(np.full(4, 3), np.arange(4))

    unigram = np.array([0.0, 0.75, 0.25, 0.0])
    bigram = np.array([0.0, 0.5, 0.5, 0.0])
    np.testing.assert_allclose(after_1, 0.05 + 0.3 * unigram + 0.5 * bigram)
    np.testing.assert_allclose(after_3, 0.05 + 0.8 * unigram)


def test_em_finds_the_weights_of_a_mixture():
    # Column 1 explains three samples of four alone, column 0 the fourth.
    parts = np.array([[0.0, 1.0]] * 3 + [[1.0, 0.0]])

    np.testing.assert_allclose(tune(parts), [0.25, 0.75])
    # A part that explains nothing keeps a trace only where it is the uniform one.
    assert 0 < tune(np.array([[0.0, 1.0]]))[0] < 1e-5
    assert tune(np.array([[1.0, 0.0]]))[1] == 0


@pytest.mark.parametrize("order", [1, 2])
def test_probabilities_sum_to_1_and_none_is_0(order):
    model = fitted(order)
    for context in range(VOCABULARY_SIZE):
        contexts = np.full(VOCABULARY_SIZE, context)
        chances = model.probabilities(contexts, np.arange(VOCABULARY_SIZE))
        assert chances.sum() == pytest.approx(1.0)
        assert chances.min() > 0


@pytest.mark.parametrize("order", [1, 2])
def test_no_other_weights_suit_the_held_out_tokens_better(order):
    model = fitted(order)
    best = model.perplexity(HELD_OUT)

    assert model.weights.sum() == pytest.approx(1.0)
    for other in rng.dirichlet(np.ones(order + 1), size=50):
        model.weights = other
        assert model.perplexity(HELD_OUT) > best


def test_a_token_that_was_never_seen_stays_possible_even_if_tuning_saw_none():
    model = NGramModel(order=1, vocabulary_size=VOCABULARY_SIZE)
    model.fit(CHAIN, held_out_ids=CHAIN)

    assert np.isfinite(model.perplexity(np.array([0, 6])))


def test_the_bigram_model_is_better_where_order_matters():
    assert fitted(2).perplexity(CHAIN) < 0.6 * fitted(1).perplexity(CHAIN)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="`order` must be 1 or 2. Received: order=3"):
        NGramModel(order=3, vocabulary_size=7)
    with pytest.raises(ValueError, match="`vocabulary_size` must be at least 1"):
        NGramModel(order=1, vocabulary_size=0)


def test_a_model_that_is_not_fitted_is_refused():
    with pytest.raises(ValueError, match="`fit` must come first"):
        NGramModel(order=1, vocabulary_size=7).perplexity(CHAIN)


@pytest.mark.parametrize("token_ids", [[], [3], [[1, 2], [3, 4]]])
def test_what_is_no_row_of_tokens_is_refused(token_ids):
    with pytest.raises(ValueError, match="one row of at least 2 token ids"):
        NGramModel(1, 7).fit(token_ids, CHAIN)


@pytest.mark.parametrize("token_ids, came", [([0, 7], "0 to 7"), ([-1, 2], "-1 to 2")])
def test_tokens_out_of_range_are_refused(token_ids, came):
    with pytest.raises(ValueError, match=f"at least 0 and below 7. Received: {came}"):
        fitted(2).perplexity(token_ids)
