"""length_buckets: the cheapest division, within the budget, errors."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text.length_buckets import length_buckets

pytestmark = pytest.mark.once
LENGTHS = st.lists(
    st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=30
)


def tokens_of(buckets):
    return sum(b.num_batches * b.batch_size * sum(b.widths) for b in buckets)


def test_a_case_done_by_hand():
    # Three short pairs and one long one, of 12 tokens at most: the short ones in one
    # batch of 3 x (2 + 2), the long one alone.
    buckets = length_buckets([[2, 2], [6, 6], [1, 2], [2, 1]], 12, num_buckets=8)

    shapes = [(b.widths, b.num_batches, b.batch_size) for b in buckets]
    assert shapes == [((2, 2), 1, 3), ((6, 6), 1, 1)]
    assert [sorted(b.rows.tolist()) for b in buckets] == [[0, 2, 3], [1]]


def test_batches_of_a_bucket_are_even():
    # 7 pairs of 4 tokens, at most 5 a batch: 4 and 3, not 5 and 2.
    (bucket,) = length_buckets([[2, 2]] * 7, 20, num_buckets=1)

    assert (bucket.num_batches, bucket.batch_size) == (2, 4)


@given(LENGTHS, st.integers(40, 200), st.integers(1, 5))
def test_each_pair_once_within_budget_and_number(lengths, max_batch_tokens, number):
    buckets = length_buckets(lengths, max_batch_tokens, number)

    rows = np.concatenate([bucket.rows for bucket in buckets])
    assert sorted(rows.tolist()) == [*range(len(lengths))]
    assert len(buckets) <= number
    for bucket in buckets:
        members = np.array(lengths)[bucket.rows]
        assert bucket.widths == tuple(members.max(axis=0))
        assert bucket.batch_size * sum(bucket.widths) <= max_batch_tokens
        room = bucket.num_batches * bucket.batch_size
        assert len(members) <= room < len(members) + bucket.num_batches


@given(LENGTHS.filter(lambda some: len(some) < 8), st.integers(40, 90))
def test_no_other_division_of_the_same_order_is_cheaper(lengths, max_batch_tokens):
    def cost(buckets):
        num_batches = sum(bucket.num_batches for bucket in buckets)
        return tokens_of(buckets) + num_batches * max_batch_tokens / 4

    found = length_buckets(lengths, max_batch_tokens, num_buckets=3)

    lengths = np.array(lengths)
    order = np.argsort((lengths / lengths.mean(axis=0)).max(axis=1), kind="stable")
    for size in (1, 2, 3):
        for inner in itertools.combinations(range(1, len(order)), size - 1):
            parts = np.split(order, inner)
            one_each = [
                length_buckets(lengths[part], max_batch_tokens, 1)[0] for part in parts
            ]
            assert cost(found) <= cost(one_each)


def test_many_pairs_are_divided_with_little_padding():
    numbers = np.random.default_rng(seed=0)
    sources = numbers.gamma(4, 4, size=20_000).astype(int) + 2
    lengths = np.stack([sources, sources + numbers.integers(0, 4, 20_000)], axis=1)

    real = [lengths.sum() / tokens_of(length_buckets(lengths, 2000, n)) for n in (1, 8)]

    assert real[0] < 0.4
    assert real[1] > 0.8


def test_texts_alone_and_a_number_of_rows():
    # Five short texts and a long one, two a batch at most, whatever the tokens.
    buckets = length_buckets([[2], [1], [9], [2], [1], [2]], 18, 2, max_batch_size=2)

    shapes = [(b.widths, b.num_batches, b.batch_size) for b in buckets]
    assert shapes == [((2,), 3, 2), ((9,), 1, 1)]


def test_what_is_too_long_for_a_batch_is_refused():
    assert len(length_buckets([[5, 6]], 11, 8)) == 1
    with pytest.raises(ValueError, match="must hold the longest .* 11 tokens. Receive"):
        length_buckets([[2, 2], [5, 6]], 10, 8)
