"""Pairs of texts to batches for an encoder-decoder."""

import itertools
from collections.abc import Callable, Iterable

import numpy as np

from keras_lm.text.bucketed_batches import bucketed_batches
from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.length_buckets import length_buckets
from keras_lm.text.teacher_forcing import teacher_forcing

_CHUNK = 10_000  # pairs whose ids are Python numbers at one time


def parallel_dataset(
    pairs: Iterable,
    source_tokenizer,
    target_tokenizer,
    max_batch_tokens: int = 4096,
    *,
    max_source_length: int | None = None,
    max_target_length: int | None = None,
    drop_long: bool = False,
    num_buckets: int = 8,
    shuffle: bool = True,
    seed: int = 0,
    repeat: bool = False,
    notify: Callable[[str], object] = print,
):
    """Batches of sources and targets of about one length, for `model.fit`.

    The pairs are encoded once, set up by `teacher_forcing`, and divided into at most
    `num_buckets` shapes of batches with as little padding as can be: each shape is
    compiled once by XLA. Rows that fill the last batch of a shape repeat a pair of it
    with weight 0, so every pair counts exactly once in a pass.

    Which pairs share a batch, and the order of the batches, are drawn anew in each
    pass from `seed` and the number of the pass only: see `language_model_dataset` for
    `repeat` and for going on in another process.

    A pair with an empty side is left out, and `notify` is told how many were.

    Shapes: `B` pairs, `S` and `T` tokens of a source and a target, separator included;
    all differ between batches.

    Args:
        pairs: `(source, target)` tuples or lists, str or UTF-8 bytes.
        source_tokenizer: a `SentencePieceTokenizer`, or anything with `encode(list)`,
            `separator_id` and `padding_id`.
        target_tokenizer: the same; one tokenizer may serve both.
        max_batch_tokens: int. `B (S + T)` is at most this, padding included.
        max_source_length: int or `None`. Most tokens of a source, its separator
            included.
        max_target_length: int or `None`. Most tokens of a target, its separator
            included.
        drop_long: bool. Whether pairs that are longer are left out, and `notify` told
            how many. `False` refuses them.
        num_buckets: int, at least 1. At most so many shapes of batches.
        shuffle: bool. `False` keeps one order in all passes: short pairs first.
        seed: int, 0 or above.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.
        notify: function of one string.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, labels, weights)` as
        `teacher_forcing` gives them.

    Raises:
        TypeError: a pair is no tuple or list, or holds something else than texts.
        ValueError: a number is out of range, there is no pair, a pair is longer than
            allowed, or two of them together are longer than `max_batch_tokens`.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two un deux"] * 5, 300)
        >>> pairs = [("one", "un"), ("two", "deux"), ("one two", "un deux")]
        >>> dataset = keras_lm.text.parallel_dataset(pairs, tokenizer, tokenizer, 64)
        >>> inputs, labels, weights = next(iter(dataset))
        >>> sorted(inputs)[:2]
        ['decoder_padding_mask', 'decoder_token_ids']
    """
    limits = {
        "max_source_length": max_source_length,
        "max_target_length": max_target_length,
    }
    given = {name: most for name, most in limits.items() if most is not None}
    check_at_least(
        1, max_batch_tokens=max_batch_tokens, **given, num_buckets=num_buckets
    )
    check_at_least(0, seed=seed)
    sources, targets = _encoded(pairs, source_tokenizer, target_tokenizer)
    lengths = [(len(s) + 1, len(t) + 1) for s, t in zip(sources, targets, strict=True)]
    lengths = np.array(lengths, "int64").reshape(-1, 2)  # with separators
    kept = _kept(lengths, limits, drop_long, notify)
    buckets = length_buckets(lengths[kept], max_batch_tokens, num_buckets)
    arrays = []
    for bucket in buckets:
        rows = kept[bucket.rows]
        rows = [*rows, rows[0]]  # the last one fills batches
        arrays.append(
            teacher_forcing(
                [sources[i] for i in rows],
                [targets[i] for i in rows],
                source_tokenizer,
                target_tokenizer,
                bucket.widths,
            )
        )
        arrays[-1][2][-1] = 0.0
    return bucketed_batches(buckets, arrays, seed if shuffle else None, repeat)


def _encoded(pairs, source_tokenizer, target_tokenizer):
    """`(sources, targets)`: lists of int32 arrays of token ids."""
    if isinstance(pairs, (str, bytes)):
        raise TypeError(f"`pairs` must hold pairs of texts. Received: {pairs!r:.50}")
    sources, targets = [], []
    pairs = iter(pairs)
    while chunk := list(itertools.islice(pairs, _CHUNK)):
        for pair in chunk:
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(
                    "Each pair must be a tuple or list of a source and a target. "
                    f"Received: {pair!r:.50}"
                )
        sides = zip(*chunk, strict=True)
        for side, tokenizer, encoded in zip(
            sides,
            (source_tokenizer, target_tokenizer),
            (sources, targets),
            strict=True,
        ):
            rows = tokenizer.encode(list(side))
            encoded += [np.asarray(row, "int32") for row in rows]
    return sources, targets


def _kept(lengths, limits, drop_long, notify):
    """The numbers of the pairs to learn from; tells about the others."""
    empty = (lengths == 1).any(axis=1)
    most = [limit or np.iinfo("int64").max for limit in limits.values()]
    long = (lengths > most).any(axis=1) & ~empty
    told = " and ".join(f"{name}={limit}" for name, limit in limits.items() if limit)
    if long.any() and not drop_long:
        first = int(np.argmax(long))
        raise ValueError(
            f"Each pair must be at most as long as {told}, or `drop_long` be True. "
            f"Received: {long.sum()} of {len(lengths)} pairs that are longer, the "
            f"first is number {first} with {lengths[first, 0]} and {lengths[first, 1]} "
            "tokens"
        )
    kept = np.flatnonzero(~empty & ~long)
    if not len(kept):
        raise ValueError(
            "`pairs` must hold a pair with text on both sides that is not too long. "
            f"Received: {len(lengths)} pairs, {empty.sum()} with an empty side and "
            f"{long.sum()} too long"
        )
    reasons = [f"{empty.sum()} with an empty side"] * bool(empty.any())
    reasons += [f"{long.sum()} longer than {told}"] * bool(long.any())
    if reasons:
        notify(
            f"{len(lengths) - len(kept)} of {len(lengths)} pairs are left out: "
            f"{', '.join(reasons)}."
        )
    return kept
