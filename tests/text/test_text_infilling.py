"""TextInfilling: cases by hand, nothing lost, Poisson lengths, by seed, errors."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keras_lm.text import TextInfilling
from tests.checks import assert_share
from tests.text.samples import MASKER, TEXTS, TOKENIZER

pytestmark = pytest.mark.once
MASK = MASKER.mask_id


def rng(seed=0):
    return np.random.default_rng(seed)


def sources(infilling, token_ids, times=60):
    return {tuple(infilling(token_ids, rng(seed))[0].tolist()) for seed in range(times)}


def test_cases_done_by_hand():
    # One of two tokens is hidden, by one mask.
    assert sources(TextInfilling(MASKER, 0.5), [7, 8]) == {(MASK, 8), (7, MASK)}
    # Two of four in one span, which has three places.
    assert sources(TextInfilling(MASKER, 0.5, mean_span=99), [6, 7, 8, 9]) == {
        (MASK, 8, 9),
        (6, MASK, 9),
        (6, 7, MASK),
    }
    # Spans of 0, 0 and 2 tokens would make three masks: one for each hidden token.
    short = sources(TextInfilling(MASKER, 0.5, mean_span=0.5), [6, 7, 8, 9], 400)
    assert (6, MASK, 7, MASK) in short  # one hides 8 and 9, one nothing
    assert {source.count(MASK) for source in short} == {1, 2}


@given(TEXTS, st.floats(0.05, 0.95), st.floats(0.2, 9), st.integers(0, 999))
@example("", 0.5, 3.0, 0)
@example("🙂", 0.9, 3.0, 0)
@example("中", 0.9, 3.0, 0)
def test_nothing_is_lost(text, rate, mean_span, seed):
    token_ids = np.array(TOKENIZER.encode(text), "int32")
    infilling = TextInfilling(MASKER, rate, mean_span)

    source, target = infilling(token_ids, rng(seed))

    assert TOKENIZER.decode(target) == text
    assert len(source) <= len(target) == len(token_ids)
    assert infilling.widths(len(token_ids)) == (len(token_ids), len(token_ids))
    num_hidden = len(target) - (source != MASK).sum()
    assert abs(num_hidden - rate * len(target)) < 1
    assert (num_hidden > 0) == (source == MASK).any()
    # What stays, stays in its order.
    rest = iter(target.tolist())
    assert all(token in rest for token in source[source != MASK].tolist())


def test_shares_and_lengths_are_as_stated():
    length = 30_000
    source, target = TextInfilling(MASKER)(np.arange(1000, 1000 + length), rng(seed=1))

    kept = np.flatnonzero(source != MASK)
    assert len(kept) == 0.7 * length
    hidden_between = np.diff(source[kept]) - 1
    masks_between = np.diff(kept) - 1
    lengths = hidden_between[masks_between == 1]  # of masks that stand alone
    assert len(lengths) > 2000 and (hidden_between[masks_between == 0] == 0).all()
    for number in range(8):
        chance = math.exp(-3) * 3**number / math.factorial(number)
        assert_share(lengths == number, chance)
    assert np.array_equal(target, np.arange(1000, 1000 + length))


@pytest.mark.parametrize("length", [1, 3, 40])
def test_short_texts_keep_their_share(length):
    infilling, text, draws = TextInfilling(MASKER), np.arange(length), rng(seed=2)

    hidden = [~np.isin(text, infilling(text, draws)[0]) for _ in range(2000)]

    assert_share(hidden, 0.3)
    # A span seldom begins or ends exactly where the text does.
    assert np.mean(hidden, axis=0).min() > 0.1


def test_spans_are_those_of_the_seed():
    infilling, text = TextInfilling(MASKER), np.arange(99)

    one, same, other = (infilling(text, rng(seed))[0] for seed in (3, 3, 4))

    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_errors():
    with pytest.raises(ValueError, match="`rate` must be above 0 and below 1"):
        TextInfilling(MASKER, rate=0.0)
    with pytest.raises(ValueError, match="`mean_span` must be above 0"):
        TextInfilling(MASKER, mean_span=0)
    with pytest.raises(ValueError, match="`tokenizer` must have a mask token"):
        TextInfilling(TOKENIZER)
