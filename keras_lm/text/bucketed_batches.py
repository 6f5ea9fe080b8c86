"""A dataset of batches of few shapes, each pass in an order of its own."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.length_buckets import LengthBucket
from keras_lm.text.passes import passes, quietly, shuffled


def bucketed_batches(
    buckets: Sequence[LengthBucket], arrays: Sequence, seed: int | None, repeat: bool
):
    """Batches of the rows of each bucket, the shapes mixed.

    Which rows share a batch, and the order of the batches, are drawn anew in each pass
    from `seed` and the number of the pass only.

    Args:
        buckets: of `length_buckets`.
        arrays: for each bucket a nest of NumPy arrays: its rows, and behind them one
            that fills batches.
        seed: int, or `None` to keep the order.
        repeat: bool. `True` gives endless passes.

    Returns:
        `tf.data.Dataset`, its cardinality known, of nests of arrays whose sizes are
        unknown: `fit` is traced once.
    """
    import tensorflow as tf

    with tf.device("CPU"):
        arrays = tf.nest.map_structure(tf.constant, arrays)
    num_batches = [bucket.num_batches for bucket in buckets]
    choices = np.repeat(np.arange(len(buckets)), num_batches)

    def batches_of_pass(this_pass):
        datasets = [
            _batches_of_bucket(bucket, arrays[i], seed, this_pass, i)
            for i, bucket in enumerate(buckets)
        ]
        order = shuffled(tf.constant(choices), seed, len(buckets), this_pass)
        order = tf.data.Dataset.from_tensor_slices(order)
        return tf.data.Dataset.choose_from_datasets(datasets, order)

    return quietly(passes(batches_of_pass, sum(num_batches), repeat))


def _batches_of_bucket(bucket, arrays, seed, this_pass, number):
    """The batches of one shape, in the order of this pass."""
    import tensorflow as tf

    num_rows = len(bucket.rows)
    shape = [bucket.num_batches, bucket.batch_size]
    rows = shuffled(tf.range(num_rows, dtype=tf.int64), seed, number, this_pass)
    fill = tf.fill([shape[0] * shape[1] - num_rows], tf.constant(num_rows, tf.int64))
    rows = tf.reshape(tf.concat([rows, fill], axis=0), shape)

    def batch(numbers):
        rows = tf.nest.map_structure(lambda array: tf.gather(array, numbers), arrays)
        return tf.nest.map_structure(
            lambda array: tf.ensure_shape(array, [None] * array.shape.rank), rows
        )

    return tf.data.Dataset.from_tensor_slices(rows).map(batch)
