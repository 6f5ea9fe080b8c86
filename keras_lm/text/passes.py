"""A `tf.data.Dataset` whose every pass has an order of its own."""

from collections.abc import Callable


def passes(elements_of_pass: Callable, cardinality: int, repeat: bool):
    """A dataset that is made anew for each pass over it, from the number of the pass.

    With `repeat` every iterator starts at pass 0, so `.skip(n)` goes on after `n`
    elements in another process too. Without it, passes are counted over all iterators
    of the dataset, and Keras opens one more to build a model that is not built.

    Args:
        elements_of_pass: function of the number of the pass, an int64 scalar tensor
            `()`, that gives the `tf.data.Dataset` of that pass.
        cardinality: int. How many elements a pass has.
        repeat: bool. `True` gives endless passes.

    Returns:
        `tf.data.Dataset`, its cardinality known.
    """
    import tensorflow as tf

    if repeat:
        numbers, cardinality = tf.data.Dataset.counter(), tf.data.INFINITE_CARDINALITY
    else:
        with tf.device("CPU"):
            num_passes = tf.Variable(0, dtype=tf.int64, trainable=False)
        numbers = tf.data.Dataset.from_tensors(0)
        numbers = numbers.map(lambda _: num_passes.assign_add(1) - 1)
    dataset = numbers.flat_map(elements_of_pass)
    return dataset.apply(tf.data.experimental.assert_cardinality(cardinality))


def shuffled(numbers, seed: int | None, *salt):
    """The numbers in an order that depends on the seed and the salt only.

    `Dataset.shuffle` and other random numbers would also depend on TensorFlow's
    global seed.

    Args:
        numbers: tensor `(N, ..)`.
        seed: int, or `None` to keep the order.
        *salt: ints or int64 scalar tensors: the pass, and what else must differ.

    Returns:
        tensor `(N, ..)`.
    """
    import tensorflow as tf

    if seed is None:
        return numbers
    key = tf.constant(seed, tf.int64)
    *first, last = [tf.cast(one, tf.int64) for one in salt]
    for one in first:
        key = key * 1_000_003 + one
    return tf.random.experimental.stateless_shuffle(numbers, tf.stack([key, last]))


def quietly(dataset):
    """The dataset, made a little ahead by one thread: the cores are for training.

    It is not tuned: as an iterator ends, TensorFlow 2.21 often waits for the thread
    that tunes, which may sleep as long again as the epoch took.

    Args:
        dataset: `tf.data.Dataset`.

    Returns:
        `tf.data.Dataset`.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)
