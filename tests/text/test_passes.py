"""passes: which pass comes when, orders by seed and salt."""

import pytest
import tensorflow as tf

from keras_lm.text.passes import passes, quietly, shuffled

pytestmark = pytest.mark.once


def numbered(repeat):
    """Each pass gives its own number, twice."""
    return passes(
        lambda number: tf.data.Dataset.from_tensors(number).repeat(2), 2, repeat
    )


def seen(dataset):
    return [int(number) for number in dataset]


def order(*salt, seed=0):
    return shuffled(tf.range(9), seed, *salt).numpy().tolist()


def test_passes_are_counted_over_all_iterators():
    dataset = numbered(repeat=False)

    assert int(dataset.cardinality()) == 2
    assert [seen(dataset), seen(dataset)] == [[0, 0], [1, 1]]


def test_with_repeat_every_iterator_starts_at_the_first():
    dataset = numbered(repeat=True)

    assert int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY
    assert seen(dataset.take(5)) == [0, 0, 1, 1, 2]
    assert seen(dataset.skip(3).take(2)) == [1, 2]


def test_an_order_depends_on_seed_and_salt_only():
    tf.random.set_seed(1)
    first = order(0, 3)
    tf.random.set_seed(2)

    assert order(0, 3) == first
    assert sorted(first) == [*range(9)]
    others = [order(0, 4), order(1, 3), order(0, 3, seed=1), order(3, 0)]
    assert first not in others
    assert shuffled(tf.range(9), None, 3).numpy().tolist() == [*range(9)]


def test_quietly_changes_no_element():
    dataset = quietly(numbered(repeat=False))

    assert seen(dataset) == [0, 0]
    assert dataset.options().threading.private_threadpool_size == 1
    # As its iterator ends, TensorFlow would wait for the thread that tunes.
    assert dataset.options().autotune.enabled is False
