"""Texts to batches for next-token prediction."""

import numpy as np

from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.encode_corpus import encode_corpus
from keras_lm.text.passes import passes, quietly, shuffled


def language_model_dataset(
    texts,
    tokenizer,
    sequence_length,
    batch_size,
    shuffle=True,
    seed=0,
    drop_remainder=True,
    repeat=False,
):
    """Batches of token ids and of the tokens that come next, for `model.fit`.

    The texts are encoded once into one row (see `encode_corpus`) and cut into
    windows of `sequence_length`, without padding. A window can hold the end of one
    document, a separator token and the start of the next, and attention across the
    separator is allowed.

    The windows are shuffled anew in each pass over the dataset, in an order that
    depends on `seed` and the number of the pass only. To go on in another process
    after `n` batches, use `repeat=True` and `.skip(n)`: then each iterator starts at
    the first pass. (Without `repeat`, passes are counted over all iterators of the
    dataset, and Keras opens one more to build a model that is not built.)

    Shapes: `B` `batch_size`, `T` `sequence_length`.

    Args:
        texts: sequence of str or UTF-8 bytes, one for each document.
        tokenizer: a `SentencePieceTokenizer`, or anything with `encode(list)`,
            `separator_id` and `padding_id`.
        sequence_length: int, at least 1.
        batch_size: int, at least 1.
        shuffle: bool. `False` keeps the order of the texts.
        seed: int, 0 or above.
        drop_remainder: bool. `True` drops the tokens that fill no window and the
            windows that fill no batch. `False` pads the last batch: every token is
            predicted exactly once, and a third element says which ones are real.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(token_ids, next_token_ids)`,
        int32 `(B, T)` each, and with `drop_remainder=False` also `weights`, float32
        `(B, T)`: 1 for a token to predict, 0 for padding.

    Raises:
        TypeError: `texts` is one string, or holds something else than texts.
        ValueError: a number is out of range, the texts are empty, or, with
            `drop_remainder`, hold less than one batch.

    Example:
        >>> from keras_lm import text
        >>> tokenizer = text.train_tokenizer(["one two three"] * 5, 300)
        >>> texts = ["one two three"] * 50
        >>> dataset = text.language_model_dataset(texts, tokenizer, 7, batch_size=3)
        >>> token_ids, next_token_ids = next(iter(dataset))
        >>> tuple(token_ids.shape), tuple(next_token_ids.shape)
        ((3, 7), (3, 7))
    """
    check_at_least(1, sequence_length=sequence_length, batch_size=batch_size)
    check_at_least(0, seed=seed)
    stream = encode_corpus(texts, tokenizer)
    arrays = [stream[:-1], stream[1:]]
    if drop_remainder:
        _refuse_less_than_one_batch(len(stream), sequence_length, batch_size)
    else:
        arrays.append(np.ones(len(stream) - 1, "float32"))
        padding = -(len(stream) - 1) % (sequence_length * batch_size)
        fill = [tokenizer.padding_id or 0, tokenizer.padding_id or 0, 0]
        arrays = [
            np.pad(array, (0, padding), constant_values=value)
            for array, value in zip(arrays, fill, strict=True)
        ]
    num_windows = len(arrays[0]) // sequence_length
    windows = [
        array[: num_windows * sequence_length].reshape(num_windows, sequence_length)
        for array in arrays
    ]
    return _batches(windows, batch_size, seed if shuffle else None, repeat)


def _refuse_less_than_one_batch(num_tokens, sequence_length, batch_size):
    wanted = sequence_length * batch_size + 1
    if num_tokens < wanted:
        raise ValueError(
            "The texts are too short: one batch takes "
            f"{wanted} tokens ({batch_size} x {sequence_length} and the next one). "
            "Give more text, or a smaller `batch_size` or `sequence_length`. "
            f"Received: texts of {num_tokens} tokens"
        )


def _batches(windows, batch_size, seed, repeat):
    """A dataset of batches of rows; `seed=None` keeps their order."""
    import tensorflow as tf

    num_windows = len(windows[0])
    num_batches = num_windows // batch_size
    with tf.device("CPU"):
        windows = tuple(tf.constant(array) for array in windows)

    def row_numbers(this_pass):
        numbers = shuffled(tf.range(num_windows, dtype=tf.int64), seed, this_pass)
        numbers = numbers[: num_batches * batch_size]
        return tf.data.Dataset.from_tensor_slices(
            tf.reshape(numbers, [num_batches, batch_size])
        )

    dataset = passes(row_numbers, num_batches, repeat)
    return quietly(
        dataset.map(
            lambda numbers: tuple(tf.gather(array, numbers) for array in windows)
        )
    )
