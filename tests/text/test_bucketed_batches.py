"""bucketed_batches: every row once, what fills, orders by seed, any nest."""

import numpy as np
import pytest

from keras_lm.text.bucketed_batches import bucketed_batches
from keras_lm.text.length_buckets import LengthBucket

pytestmark = pytest.mark.once
BUCKETS = [
    LengthBucket(np.arange(7), (3,), num_batches=3, batch_size=3),
    LengthBucket(np.arange(7, 11), (9,), num_batches=2, batch_size=2),
]


def batches_of(seed, repeat=False):
    arrays = [
        {"number": np.append(b.rows, -1), "wide": np.ones((len(b.rows) + 1, *b.widths))}
        for b in BUCKETS
    ]
    return bucketed_batches(BUCKETS, arrays, seed, repeat)


def rows_of(dataset):
    return [batch["number"].numpy().tolist() for batch in dataset]


def test_a_case_done_by_hand():
    # Three batches of three hold seven rows and two that fill; two of two hold four.
    short = [[0, 1, 2], [3, 4, 5], [6, -1, -1]]
    assert rows_of(batches_of(None)) == [*short, [7, 8], [9, 10]]


def test_orders_come_from_seed_and_pass():
    dataset, again = batches_of(0), batches_of(0)
    first, second = rows_of(dataset), rows_of(dataset)

    for one in (first, second):
        assert sorted(sum(one, [])) == [-1, -1, *range(11)]
    assert first != second
    assert [rows_of(again), rows_of(again)] == [first, second]
    assert rows_of(batches_of(1)) not in (first, second)
    assert rows_of(batches_of(0, repeat=True).take(10)) == first + second


def test_sizes_are_unknown_and_their_number_is_known():
    spec = batches_of(0).element_spec

    assert tuple(spec["number"].shape) == (None,)
    assert tuple(spec["wide"].shape) == (None, None)
    assert int(batches_of(0).cardinality()) == 5
    assert int(batches_of(0, repeat=True).cardinality()) == -1
