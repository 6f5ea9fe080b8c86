"""Batches that NumPy makes anew in each pass: dynamic masking."""

from collections.abc import Callable

import numpy as np

from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.passes import passes, quietly, shuffled


def fresh_batches(
    make_batch: Callable,
    num_rows: int,
    batch_size: int,
    *,
    shuffle: bool,
    seed: int,
    drop_remainder: bool,
    repeat: bool,
):
    """A dataset of what a function makes of some rows and of random numbers.

    The random numbers depend on `seed`, the number of the pass and the number of the
    batch in it only, so they are the same on every backend, and another process that
    skips `n` batches goes on with the ones that would have come.

    Shapes: `B` `batch_size`.

    Args:
        make_batch: function of a `numpy.random.Generator` and of row numbers, int64
            `(B,)`, that gives nested arrays, `B` first. It is called in another thread.
        num_rows: int.
        batch_size: int, at least 1.
        shuffle: bool. Whether the order of the rows is another one in each pass.
        seed: int, at least 0.
        drop_remainder: bool. Whether rows that fill no batch are left out, of each pass
            others; else the last batch is smaller.
        repeat: bool. `True` gives endless passes; see `passes`.

    Returns:
        `tf.data.Dataset`, its cardinality known.

    Raises:
        ValueError: a number is out of range, or there are too few rows for a batch.
    """
    import tensorflow as tf

    _check(num_rows, batch_size, seed, drop_remainder)
    example = make_batch(np.random.default_rng(0), np.zeros(1, "int64"))
    flat = [np.asarray(array) for array in tf.nest.flatten(example)]
    dtypes = [array.dtype for array in flat]
    size = batch_size if drop_remainder else None
    num_batches = (
        num_rows // batch_size if drop_remainder else -(-num_rows // batch_size)
    )

    def make(this_pass, number, rows):
        rng = np.random.default_rng([seed, int(this_pass), int(number)])
        return tf.nest.flatten(make_batch(rng, rows))

    def batch(this_pass, number, rows):
        arrays = tf.numpy_function(make, [this_pass, number, rows], dtypes)
        for array, one in zip(arrays, flat, strict=True):
            array.set_shape([size, *one.shape[1:]])
        return tf.nest.pack_sequence_as(example, arrays)

    def batches_of_pass(this_pass):
        this_pass = tf.cast(this_pass, tf.int64)
        rows = tf.range(num_rows, dtype=tf.int64)
        rows = shuffled(rows, seed if shuffle else None, this_pass)
        numbers = tf.data.Dataset.from_tensor_slices(rows)
        numbers = numbers.batch(batch_size, drop_remainder=drop_remainder)
        return numbers.enumerate().map(lambda i, rows: batch(this_pass, i, rows))

    return quietly(passes(batches_of_pass, num_batches, repeat))


def _check(num_rows, batch_size, seed, drop_remainder):
    check_at_least(1, batch_size=batch_size)
    check_at_least(0, seed=seed)
    if drop_remainder and num_rows < batch_size:
        raise ValueError(
            "The texts are too few for one batch: give more, a smaller `batch_size` "
            f"or `drop_remainder=False`. Received: {num_rows} rows for "
            f"batch_size={batch_size}"
        )
