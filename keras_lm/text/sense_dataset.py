"""Marked words and the glosses of their senses to batches for a dual encoder."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.encode_texts import encode_texts
from keras_lm.text.list_of_texts import list_of_texts, lists_of_texts
from keras_lm.text.marked_texts import encode_marked
from keras_lm.text.pair_batches import pair_batches
from keras_lm.text.unicode import as_unicode


def sense_dataset(
    texts: Sequence,
    glosses: Sequence[Sequence],
    tokenizer,
    batch_size: int = 16,
    *,
    max_glosses: int = 8,
    max_length: int | None = None,
    truncate: bool = False,
    num_buckets: int = 4,
    shuffle: bool = True,
    seed: int = 0,
    repeat: bool = False,
):
    """Batches of words in context with what they can mean, for `models.DualEncoder`.

    The right gloss of a word is told from those of its other senses, not from what else
    is in the batch: fitted with `training.ContrastiveCrossEntropy`. Batches are as in
    `contrastive_dataset`, texts as `pipelines.WordSense` reads them.

    Shapes: `B` texts, `T` tokens of the longest, `S` of the longest gloss; `C` glosses
    of a word.

    Args:
        texts: str or UTF-8 bytes, in each a word between `[[` and `]]`.
        glosses: for each text str or UTF-8 bytes: the right one, then those of the
            other senses. A word of one sense teaches nothing.
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        batch_size: int, at least 1. Most texts of a batch.
        max_glosses: int, at least 2. Of words with more senses, so many are kept: the
            right one and others, drawn once from `seed`.
        max_length: int or `None`, no limit. Most tokens of a text or gloss, special
            ones included.
        truncate: bool. Whether longer texts lose what is farthest from the word, and
            glosses their end; else they are refused.
        num_buckets: int, at least 1. At most so many shapes of batches.
        shuffle: bool. `False` keeps one order in all passes: short texts first.
        seed: int, 0 or above.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, targets, weights)`: as in
        `contrastive_dataset`, with `pooling_mask`, bool `(B, T)`, `True` where the word
        stands; float32 `(B, C B)`: 1 for the right gloss, 0 for those of other senses,
        -1 for what is left out; and float32 `(B,)`.

    Raises:
        TypeError: `texts` or the glosses of a text are one string, or a text or gloss
            is neither str nor bytes.
        ValueError: a number is out of range, there is no text, not a list of glosses
            for each, no word is marked, or a text is longer than allowed.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["a bank of a river"] * 5, 300)
        >>> dataset = keras_lm.text.sense_dataset(
        ...     ["a [[bank]] lends"], [["who lends", "land by a river"]], tokenizer)
        >>> inputs, targets, weights = next(iter(dataset))
        >>> targets.numpy().tolist()
        [[1.0, 0.0]]

    Source: https://arxiv.org/abs/2005.02590, section 3.
    """
    texts, glosses = list_of_texts(texts), lists_of_texts(glosses, "glosses")
    _check(texts, glosses, max_glosses)
    if seed >= 0:
        glosses = _drawn(glosses, max_glosses, np.random.default_rng(seed))
    rows, words = encode_marked(tokenizer, texts, max_length, truncate)
    known: dict[str, int] = {}
    most = max(len(some) for some in glosses)
    numbers = np.zeros((len(texts), 1 + most), "int64")
    numbers[:, 0] = np.arange(len(texts))
    counted = np.zeros((len(texts), most), "float32")
    for row, some in enumerate(glosses):
        own = [known.setdefault(as_unicode(gloss), len(known)) for gloss in some]
        # What is missing, and what says the same as the right one, is left out.
        numbers[row, 1:] = len(texts) + np.array(own + own[:1] * (most - len(own)))
        counted[row] = np.where(numbers[row, 1:] == numbers[row, 1], -1.0, 0.0)
    counted[:, 0] = 1.0
    gloss_rows, _ = encode_texts(tokenizer, list(known), max_length, truncate)

    def finish(inputs, more, weights):
        targets = _targets(more["counted"])
        return _with_words(inputs, more["words"]), targets, weights

    return pair_batches(
        [*rows, *gloss_rows],
        numbers,
        {"counted": counted, "words": np.array(words, "int32")},
        finish,
        tokenizer.padding_id or 0,
        batch_size,
        num_buckets=num_buckets,
        shuffle=shuffle,
        seed=seed,
        repeat=repeat,
    )


def _check(texts, glosses, max_glosses):
    if max_glosses < 2:
        raise ValueError(
            f"`max_glosses` must be at least 2. Received: max_glosses={max_glosses}"
        )
    if len(texts) != len(glosses) or not texts or not all(glosses):
        lengths = [len(some) for some in glosses]
        raise ValueError(
            "There must be a text, and for each a list of glosses, the right one first."
            f" Received: {len(texts)} texts and {lengths!r:.60} glosses"
        )


def _drawn(glosses, most, rng):
    """The first of each, and as many others as there may be, in their order."""
    kept = []
    for first, *others in glosses:
        if len(others) >= most:
            places = np.sort(rng.choice(len(others), most - 1, replace=False))
            others = [others[place] for place in places]
        kept.append([first, *others])
    return kept


def _targets(counted):
    """`(B, C)`, of each text's own glosses, to `(B, C B)`: those of others are out."""
    import tensorflow as tf

    size = tf.shape(counted)[0]
    own = tf.eye(size)[:, None, :] > 0  # (B, 1, B)
    targets = tf.where(own, counted[:, :, None], -1.0)
    return tf.reshape(targets, [size, -1])


def _with_words(inputs, words):
    import tensorflow as tf

    places = tf.range(tf.shape(inputs["token_ids"])[1])[None]
    inside = tf.logical_and(places >= words[:, :1], places < words[:, 1:])
    return {**inputs, "pooling_mask": inside}
