"""Batches of texts beside their others, of few shapes: what dual encoders read."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from keras_lm.text.bucketed_batches import bucketed_batches
from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.length_buckets import length_buckets
from keras_lm.text.pad_rows import pad_rows
from keras_lm.text.unicode import as_unicode


def number_texts(
    rows: Sequence, argument: str = "texts"
) -> tuple[list[str], np.ndarray]:
    """The different texts of some rows, and which of them stands where.

    Args:
        rows: tuples or lists of at least two texts, str or UTF-8 bytes, all of one
            length.
        argument: str, their name in errors.

    Returns:
        `(texts, numbers)`: list of str, no two alike, and int64 `(N, C)`.

    Raises:
        TypeError: `rows` is no list, a row is no tuple or list, or a text is neither
            str nor bytes.
        ValueError: there is no row, or a row has another number of texts.

    Example:
        >>> texts, numbers = number_texts([("a", "b"), ("c", "a")])
        >>> texts, numbers.tolist()
        (['a', 'b', 'c'], [[0, 1], [2, 0]])
    """
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Iterable):
        raise TypeError(
            f"`{argument}` must be a list of tuples. Received: {rows!r:.50}"
        )
    rows = list(rows)
    if not rows:
        raise ValueError(f"`{argument}` must hold at least one tuple. Received: none")
    known: dict[str, int] = {}
    numbers = []
    for place, row in enumerate(rows):
        if not isinstance(row, (tuple, list)):
            raise TypeError(
                f"`{argument}` must be tuples or lists of texts. "
                f"Received: {row!r:.50} in row {place}"
            )
        if len(row) < 2 or len(row) != len(rows[0]):
            raise ValueError(
                f"`{argument}` must be tuples of two texts or more, all of one length. "
                f"Received: {len(row)} in row {place}, {len(rows[0])} in row 0"
            )
        numbers.append([known.setdefault(as_unicode(text), len(known)) for text in row])
    return list(known), np.array(numbers, "int64")


def pair_batches(
    rows: Sequence[Sequence[int]],
    numbers: np.ndarray,
    more: Mapping[str, np.ndarray],
    finish: Callable,
    padding: int,
    batch_size: int,
    *,
    num_buckets: int,
    shuffle: bool,
    seed: int,
    repeat: bool,
):
    """Batches of texts of about one length, each with its others.

    Shapes: `N` texts, `C` others of each; `B` texts of a batch, `T` and `S` tokens of
    its longest text and other.

    Args:
        rows: token ids of all that is a text or an other.
        numbers: int `(N, 1 + C)`: which row is the text, and which are its others.
        more: other arrays, `N` first.
        finish: function of the inputs, of a dictionary of the batch's part of `more`,
            and of weights, float32 `(B,)`, 0 for texts that only fill the batch; gives
            what an element of the dataset is.
        padding: int. The token that fills up.
        batch_size: int, at least 1.
        num_buckets: int, at least 1.
        shuffle: bool.
        seed: int, at least 0.
        repeat: bool.

    Returns:
        `tf.data.Dataset`, its cardinality known. The inputs are `token_ids`, int32
        `(B, T)`, `padding_mask`, bool, `other_token_ids`, int32 `(B, C, S)`, and
        `other_padding_mask`, bool.

    Raises:
        ValueError: a number is out of range.
    """
    check_at_least(1, batch_size=batch_size, num_buckets=num_buckets)
    check_at_least(0, seed=seed)
    tokens = np.array([len(row) for row in rows], "int64")[numbers]
    lengths = np.stack([tokens[:, 0], tokens[:, 1:].max(axis=1)], axis=1)
    most = batch_size * int(lengths.max(axis=0).sum())
    buckets = length_buckets(lengths, most, num_buckets, batch_size)
    arrays = []
    for bucket in buckets:
        members = np.array([*bucket.rows, bucket.rows[0]])  # the last fills batches
        weights = np.ones(len(members), "float32")
        weights[-1] = 0.0
        some, width = numbers[members], bucket.widths
        ids, real = pad_rows([rows[n] for n in some[:, 0]], padding, width[0])
        others = pad_rows([rows[n] for n in some[:, 1:].ravel()], padding, width[1])
        shape = (len(members), -1, width[1])
        inputs = {
            "token_ids": ids,
            "padding_mask": real,
            "other_token_ids": others[0].reshape(shape),
            "other_padding_mask": others[1].reshape(shape),
        }
        arrays.append(
            (inputs, {key: one[members] for key, one in more.items()}, weights)
        )
    dataset = bucketed_batches(buckets, arrays, seed if shuffle else None, repeat)
    return dataset.map(finish)
