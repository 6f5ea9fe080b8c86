"""fresh_batches: each row once in a pass, numbers by seed, pass and batch, errors."""

import numpy as np
import pytest

from keras_lm.text.fresh_batches import fresh_batches

pytestmark = pytest.mark.once


def make_batch(rng, rows):
    return {"rows": rows.astype("int32")}, rng.random((len(rows), 2), "float32")


def dataset_of(num_rows=7, batch_size=3, **changes):
    settings = {"shuffle": True, "seed": 0, "drop_remainder": False, "repeat": False}
    return fresh_batches(make_batch, num_rows, batch_size, **{**settings, **changes})


def arrays_of(dataset):
    """`(row numbers, random numbers)` of the batches, as lists."""
    return [
        (one["rows"].numpy().tolist(), two.numpy().tolist()) for one, two in dataset
    ]


def test_each_row_comes_once_in_a_pass():
    dataset = dataset_of()

    batches = arrays_of(dataset)

    assert [len(rows) for rows, _ in batches] == [3, 3, 1]
    assert sorted(sum((rows for rows, _ in batches), [])) == [*range(7)]
    assert int(dataset.cardinality()) == 3
    in_order = arrays_of(dataset_of(shuffle=False))
    assert [rows for rows, _ in in_order] == [[0, 1, 2], [3, 4, 5], [6]]


def test_rows_that_fill_no_batch_are_others_in_each_pass():
    dataset = dataset_of(drop_remainder=True)

    passes = [arrays_of(dataset) for _ in range(6)]

    assert {len(batches) for batches in passes} == {2}
    seen = [frozenset(sum((rows for rows, _ in one), [])) for one in passes]
    assert len(set(seen)) > 1
    inputs, numbers = dataset.element_spec
    assert (tuple(inputs["rows"].shape), tuple(numbers.shape)) == ((3,), (3, 2))


def test_numbers_are_new_in_each_batch_and_pass_but_not_in_each_run():
    import tensorflow as tf

    tf.random.set_seed(5)
    dataset = dataset_of()
    first, second = arrays_of(dataset), arrays_of(dataset)
    tf.random.set_seed(6)

    numbers = [tuple(row) for _, rows in first + second for row in rows]
    assert len({*numbers}) == 14
    endless = dataset_of(repeat=True)
    assert arrays_of(endless.take(6)) == first + second
    assert arrays_of(endless.skip(4).take(2)) == second[1:]
    assert arrays_of(dataset_of(seed=1)) not in (first, second)


def test_errors():
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        dataset_of(batch_size=0)
    with pytest.raises(ValueError, match="`seed` must be at least 0"):
        dataset_of(seed=-1)
    with pytest.raises(ValueError, match="too few for one batch.*Received: 2 rows for"):
        dataset_of(num_rows=2, drop_remainder=True)


def test_what_goes_wrong_in_a_batch_is_told():
    import tensorflow as tf

    def fail(rng, rows):
        if rows[0]:
            raise ValueError("the third row is odd")
        return np.zeros((len(rows), 2))

    settings = {"shuffle": False, "seed": 0, "drop_remainder": False, "repeat": False}
    with pytest.raises(tf.errors.InvalidArgumentError, match="the third row is odd"):
        list(fresh_batches(fail, 9, 3, **settings))
