"""Pairs of texts and how alike they are to batches for a dual encoder."""

import contextlib
from collections.abc import Sequence

import numpy as np

from keras_lm.text.check_lists import check_lists
from keras_lm.text.encode_texts import encode_texts
from keras_lm.text.pair_batches import number_texts, pair_batches


def similarity_dataset(
    pairs: Sequence,
    similarities: Sequence[float],
    tokenizer,
    batch_size: int = 32,
    *,
    max_length: int | None = None,
    truncate: bool = False,
    num_buckets: int = 4,
    shuffle: bool = True,
    seed: int = 0,
    repeat: bool = False,
):
    """Batches of pairs that people have judged, for `models.DualEncoder`.

    Texts and batches are as in `contrastive_dataset`, and every pair counts exactly
    once in a pass. The model gives a cosine for each text with the other of every pair
    of the batch; only those of a pair weigh something.

    Shapes: `B` pairs, `T` tokens of the longest first text, `S` of the longest second.

    Args:
        pairs: tuples or lists of two str or UTF-8 bytes.
        similarities: float for each pair, -1 to 1: the cosine that it is to have. (Of
            judgements from 0 to 5, a fifth.)
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        batch_size: int, at least 1. Most pairs of a batch.
        max_length: int or `None`, no limit. Most tokens of a text, special ones
            included.
        truncate: bool. Whether a longer text loses its end; else it is refused.
        num_buckets: int, at least 1. At most so many shapes of batches.
        shuffle: bool. `False` keeps one order in all passes: short texts first.
        seed: int, 0 or above.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, targets, weights)`:
        inputs as in `contrastive_dataset`, with one other for each text; and two
        float32 `(B, B)`, the similarity of each pair and its weight on the diagonal, 0
        beside.

    Raises:
        TypeError: `pairs` or `similarities` are none, a text is neither str nor bytes,
            or a similarity is no number.
        ValueError: a number is out of range, there is no pair, not a similarity for
            each, or a text is longer than allowed.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> dataset = keras_lm.text.similarity_dataset(
        ...     [("one", "one."), ("one", "two")], [1.0, 0.5], tokenizer, shuffle=False)
        >>> inputs, targets, weights = next(iter(dataset))
        >>> targets.numpy().sum(), weights.numpy().tolist()
        (np.float32(1.5), [[1.0, 0.0], [0.0, 1.0]])

    Source: https://arxiv.org/abs/1908.10084, section 3 (regression objective).
    """
    different, numbers = number_texts(pairs, "pairs")
    if numbers.shape[1] != 2:
        raise ValueError(
            f"`pairs` must be of two texts. Received: {numbers.shape[1]} in row 0"
        )
    check_lists(similarities=similarities)
    wanted = np.array(
        [_number(one, place) for place, one in enumerate(similarities)], "float32"
    )
    if len(wanted) != len(numbers):
        raise ValueError(
            "There must be a similarity for each pair. "
            f"Received: {len(numbers)} pairs and {len(wanted)} similarities"
        )
    if not (np.abs(wanted) <= 1).all():
        place = int(np.argmin(np.abs(wanted) <= 1))
        raise ValueError(
            "`similarities` must be from -1 to 1. "
            f"Received: {wanted[place]} of pair {place}"
        )

    def finish(inputs, more, weights):
        import tensorflow as tf

        return inputs, tf.linalg.diag(more["wanted"]), tf.linalg.diag(weights)

    rows, _ = encode_texts(tokenizer, different, max_length, truncate)
    return pair_batches(
        rows,
        numbers,
        {"wanted": wanted},
        finish,
        tokenizer.padding_id or 0,
        batch_size,
        num_buckets=num_buckets,
        shuffle=shuffle,
        seed=seed,
        repeat=repeat,
    )


def _number(similarity, place):
    with contextlib.suppress(TypeError, ValueError):
        if not isinstance(similarity, (str, bytes)) and np.ndim(similarity) == 0:
            return float(similarity)
    raise TypeError(
        f"A similarity must be a number. Received: {similarity!r:.50} of pair {place}"
    )
