"""SpanDenoising: cases by hand, nothing lost, shares as stated, by seed, errors."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keras_lm.text import SpanDenoising
from tests.checks import assert_share
from tests.text.samples import MASKER, TEXTS, TOKENIZER

pytestmark = pytest.mark.once
FIRST = MASKER.sentinel_ids[0]
SECOND = MASKER.sentinel_ids[1]


class Tokenizer:
    sentinel_ids = [*range(100_000, 110_000)]


def rng(seed=0):
    return np.random.default_rng(seed)


def outcomes(denoising, token_ids, times=60):
    """What comes of a text in many draws, as lists: how often each."""
    counts = {}
    for seed in range(times):
        pair = tuple(tuple(part.tolist()) for part in denoising(token_ids, rng(seed)))
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def restored(source, target, sentinels):
    """The text that a source and its target give together."""
    spans = {}
    for token in target:
        if token in sentinels:
            assert token not in spans
            spans[token] = last = []
        else:
            last.append(token)
    text = []
    for token in source:
        text += spans.pop(token) if token in sentinels else [token]
    assert not spans
    return text


def test_cases_done_by_hand():
    # One of two tokens, in one span: the first or the second.
    found = outcomes(SpanDenoising(MASKER, rate=0.5), [7, 8])
    assert {*found} == {((FIRST, 8), (FIRST, 7)), ((7, FIRST), (FIRST, 8))}
    assert min(found.values()) > 15

    # Two of three, in two spans: only the middle one can stand between them.
    apart = SpanDenoising(MASKER, rate=0.7, mean_span=1)
    assert {*outcomes(apart, [7, 8, 9])} == {
        ((FIRST, 8, SECOND), (FIRST, 7, SECOND, 9))
    }
    # Two of three, in one.
    found = outcomes(SpanDenoising(MASKER, rate=0.7, mean_span=9), [7, 8, 9])
    assert {*found} == {((FIRST, 9), (FIRST, 7, 8)), ((7, FIRST), (FIRST, 8, 9))}


@given(TEXTS, st.floats(0.05, 0.95), st.floats(1, 5), st.integers(0, 999))
@example("", 0.5, 3.0, 0)
@example("🙂", 0.9, 3.0, 0)
@example("中文分词,中文。", 0.5, 1.0, 0)
def test_source_and_target_give_the_text_back(text, rate, mean_span, seed):
    token_ids = TOKENIZER.encode(text)
    denoising = SpanDenoising(Tokenizer, rate, mean_span)

    source, target = denoising(np.array(token_ids, "int32"), rng(seed))

    sentinels = {*Tokenizer.sentinel_ids}
    assert restored(source.tolist(), target.tolist(), sentinels) == token_ids
    assert TOKENIZER.decode(restored(source, target, sentinels)) == text
    places = [i for i, token in enumerate(source) if token in sentinels]
    # In their order, none beside another.
    assert source[places].tolist() == Tokenizer.sentinel_ids[: len(places)]
    assert all(np.diff(places) > 1)
    widths = denoising.widths(len(token_ids))
    assert (len(source) <= widths[0], len(target) <= widths[1]) == (True, True)
    assert (source.dtype, target.dtype) == (np.dtype("int32"), np.dtype("int32"))


@pytest.mark.parametrize("length", [2, 7, 37, 200])
def test_shares_are_as_stated(length):
    denoising, draws, text = SpanDenoising(Tokenizer), rng(seed=1), np.arange(length)
    hidden, spans = [], []
    for _ in range(12_000 // length):
        source, target = denoising(text, draws)
        hidden.append(~np.isin(text, source))
        spans.append((target >= 100_000).sum())

    hidden = np.array(hidden)
    assert_share(hidden, 0.15)
    if length == 200:  # 30 tokens in 10 spans
        assert {*spans} == {10} and {*hidden.sum(axis=1)} == {30}
    if length == 37:  # 5.55 tokens, in spans of 3
        assert abs(hidden.sum() / sum(spans) - 3) < 0.2
    assert 0 < hidden[:, 0].mean() < 0.3 and 0 < hidden[:, -1].mean() < 0.3


def test_all_divisions_are_equally_likely():
    # Two of five tokens in two spans: the ten pairs without the four neighbours.
    denoising = SpanDenoising(MASKER, rate=0.4, mean_span=1)

    found = outcomes(denoising, [5, 6, 7, 8, 9], times=600)

    assert len(found) == 6
    for count in found.values():
        assert_share(np.arange(600) < count, 1 / 6)


def test_spans_are_those_of_the_seed():
    denoising, text = SpanDenoising(MASKER), np.arange(99)

    one, same, other = (denoising(text, rng(seed)) for seed in (3, 3, 4))

    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_errors():
    with pytest.raises(ValueError, match="`rate` must be above 0 and below 1"):
        SpanDenoising(MASKER, rate=1.0)
    with pytest.raises(ValueError, match="`mean_span` must be at least 1"):
        SpanDenoising(MASKER, mean_span=0.5)
    many = "must have 51 sentinels for so long a text.*num_sentinels=51.*Received: 30"
    with pytest.raises(ValueError, match=many):
        SpanDenoising(MASKER).widths(1000)
    with pytest.raises(ValueError, match="must have 50 sentinels for so long a text"):
        SpanDenoising(MASKER)(np.arange(1000), rng())
