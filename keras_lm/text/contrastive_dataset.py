"""Texts and what belongs to them to batches in which the others are negatives."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.encode_texts import encode_texts
from keras_lm.text.pair_batches import number_texts, pair_batches


def contrastive_dataset(
    texts: Sequence,
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
    """Batches of texts with their matches, for `models.DualEncoder`.

    Each text has a match: an answer to its question, a paraphrase. In a batch it is
    told from the matches of the other texts, and from all hard negatives, its own and
    those of others. What is known to match is no negative: whatever is a match of this
    text, or has it as its match, anywhere in `texts`, in this batch or another, and the
    text itself.

    The texts are encoded once, as `pipelines.TextEmbedder` does it, and divided into at
    most `num_buckets` shapes of batches, so negatives are about as long as the match;
    with 1 they are drawn from all. Rows that fill the last batch of a shape have weight
    0 and are no negatives. What shares a batch, and the order of the batches, are drawn
    anew in each pass from `seed` and the number of the pass only: see
    `language_model_dataset` for `repeat` and for going on in another process.

    Shapes: `B` texts, `T` tokens of the longest, `S` of the longest match or negative,
    special ones included; all differ between batches. `K` hard negatives of a text.

    Args:
        texts: tuples or lists of `2 + K` str or UTF-8 bytes: a text, its match, and
            hard negatives, if there are, as many for each.
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        batch_size: int, at least 2. Most texts of a batch: the more, the harder.
        max_length: int or `None`, no limit. Most tokens of a text, special ones
            included; a model with learned positions takes its `max_sequence_length`.
        truncate: bool. Whether a longer text loses its end; else it is refused.
        num_buckets: int, at least 1. At most so many shapes of batches.
        shuffle: bool. `False` keeps one order in all passes: short texts first.
        seed: int, 0 or above.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, targets, weights)`: a
        dictionary of `token_ids`, int32 `(B, T)`, `padding_mask`, bool `(B, T)`,
        `other_token_ids`, int32 `(B, 1 + K, S)`, and `other_padding_mask`, bool;
        float32 `(B, (1 + K) B)`, whose columns are the matches, then the first hard
        negatives of all, and so on: 1 for the own match, 0 for a negative, -1 for what
        is left out; and float32 `(B,)`.

    Raises:
        TypeError: `texts` are no tuples, or a text is neither str nor bytes.
        ValueError: a number is out of range, there is no text, a tuple has another
            number of texts, or a text is longer than allowed.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> dataset = keras_lm.text.contrastive_dataset(
        ...     [("one?", "one."), ("two?", "two.")], tokenizer, num_buckets=1)
        >>> inputs, targets, weights = next(iter(dataset))
        >>> targets.numpy().tolist()
        [[1.0, 0.0], [0.0, 1.0]]

    Source: https://arxiv.org/abs/1705.00652, section 4.4;
        https://arxiv.org/abs/2004.04906, section 3.2.
    """
    if batch_size < 2:
        raise ValueError(
            "`batch_size` must be at least 2: a text alone has no negatives. "
            f"Received: batch_size={batch_size}"
        )
    different, numbers = number_texts(texts)
    count = len(different)
    both = numbers[:, [0, 1]], numbers[:, [1, 0]]
    known = np.unique(np.concatenate(both) @ [count, 1])

    def finish(inputs, more, weights):
        return inputs, _targets(more["numbers"], weights, known, count), weights

    rows, _ = encode_texts(tokenizer, different, max_length, truncate)
    return pair_batches(
        rows,
        numbers,
        {"numbers": numbers},
        finish,
        tokenizer.padding_id or 0,
        batch_size,
        num_buckets=num_buckets,
        shuffle=shuffle,
        seed=seed,
        repeat=repeat,
    )


def _targets(numbers, weights, known, count):
    """`(B, (1 + K) B)`: see `contrastive_dataset`; `known` are the pairs, sorted."""
    import tensorflow as tf

    first = numbers[:, :1]  # (B, 1)
    columns = tf.reshape(tf.transpose(numbers[:, 1:]), [1, -1])
    pairs = first * count + columns
    places = tf.searchsorted(tf.constant(known), tf.reshape(pairs, [-1]))
    found = tf.gather(known, tf.minimum(places, len(known) - 1))
    matches = tf.equal(tf.reshape(found, tf.shape(pairs)), pairs)
    fills = tf.equal(weights, 0.0)
    left_out = tf.logical_or(matches, tf.equal(first, columns))
    left_out = tf.logical_or(left_out, fills[:, None])
    left_out = tf.logical_or(left_out, tf.tile(fills, [tf.shape(numbers)[1] - 1])[None])
    own = tf.eye(tf.shape(pairs)[0], tf.shape(pairs)[1])
    return tf.where(own > 0, 1.0, tf.where(left_out, -1.0, 0.0))
