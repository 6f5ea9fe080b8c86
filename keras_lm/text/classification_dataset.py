"""Texts and their labels to batches for a classifier."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np

from keras_lm.text.bucketed_batches import bucketed_batches
from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.check_lists import check_lists
from keras_lm.text.encode_texts import encode_texts
from keras_lm.text.length_buckets import length_buckets
from keras_lm.text.pad_rows import pad_rows


def classification_dataset(
    texts: Sequence,
    labels: Sequence,
    tokenizer,
    label_names: Sequence[str],
    batch_size: int = 32,
    *,
    pairs: bool = False,
    multi_label: bool = False,
    class_weights: str | Mapping[str, float] | None = None,
    max_length: int | None = None,
    truncate: bool = False,
    num_buckets: int = 4,
    shuffle: bool = True,
    seed: int = 0,
    repeat: bool = False,
):
    """Batches of texts of about one length with their labels, for `model.fit`.

    The texts are encoded once, as `pipelines.TextClassifier` does it, and divided into
    at most `num_buckets` shapes of batches: each shape is compiled once by XLA. Rows
    that fill the last batch of a shape repeat a text of it with weight 0, so every text
    counts exactly once in a pass.

    Which texts share a batch, and the order of the batches, are drawn anew in each pass
    from `seed` and the number of the pass only: see `language_model_dataset` for
    `repeat` and for going on in another process.

    Shapes: `B` texts, `T` tokens of the longest, special ones included; both differ
    between batches. `C` classes.

    Args:
        texts: str or UTF-8 bytes; or tuples or lists of two.
        labels: for each text one of `label_names`, or, if `multi_label`, a list of any
            number of them.
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        label_names: the labels in the order of the model's classes, no two alike.
        batch_size: int, at least 1. Most texts of a batch.
        pairs: bool. Whether `texts` are pairs.
        multi_label: bool. Whether a text has any number of labels.
        class_weights: what a text weighs in the loss: a number above 0 for each label,
            by name; "balanced", `texts / (labels that occur * texts of its label)`, so
            that all labels weigh alike and a text 1 on average; or `None`, 1. Not with
            `multi_label`: the one weight of a text would be that of its frequent labels
            too. There a lower `threshold` of `pipelines.TextClassifier.labels_above`
            finds more of the rare ones.
        max_length: int or `None`, no limit. Most tokens of a text or pair, special ones
            included; a model with learned positions takes its `max_sequence_length`.
        truncate: bool. Whether a longer text loses its end, of a pair the longer one
            first; else it is refused.
        num_buckets: int, at least 1. At most so many shapes of batches.
        shuffle: bool. `False` keeps one order in all passes: short texts first.
        seed: int, 0 or above.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, targets, weights)`: a
        dictionary of `token_ids`, int32 `(B, T)`, `padding_mask`, bool `(B, T)`, and,
        of pairs, `segment_ids`, int32 `(B, T)`; int32 `(B,)`, the class, or float32
        `(B, C)`, 1 for each label that the text has; and float32 `(B,)`.

    Raises:
        TypeError: what must be a list is none, or a text, a pair or a label is of
            another type.
        ValueError: a number is out of range, there is no text, not a label for each,
            an unknown one, or a text is longer than allowed.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["good bad film"] * 5, 300)
        >>> dataset = keras_lm.text.classification_dataset(
        ...     ["good", "bad", "bad film"], ["+", "-", "-"], tokenizer, ["-", "+"])
        >>> inputs, targets, weights = next(iter(dataset))
        >>> sorted(targets.numpy().tolist())
        [0, 0, 1]
    """
    check_at_least(1, batch_size=batch_size, num_buckets=num_buckets)
    check_at_least(0, seed=seed)
    check_lists(texts=texts, labels=labels, label_names=label_names)
    texts, labels, label_names = list(texts), list(labels), list(label_names)
    if len(texts) != len(labels) or not texts:
        raise ValueError(
            "There must be a label for each text, and a text. "
            f"Received: {len(texts)} texts and {len(labels)} labels"
        )
    targets = _targets(labels, label_names, multi_label)
    weights = _weights(labels, label_names, class_weights, multi_label)
    rows, segments = encode_texts(tokenizer, texts, max_length, truncate, pairs)
    lengths = np.array([[len(row)] for row in rows], "int64")
    most = batch_size * int(lengths.max())
    buckets = length_buckets(lengths, most, num_buckets, batch_size)
    arrays = []
    for bucket in buckets:
        members = [*bucket.rows, bucket.rows[0]]  # the last one fills batches
        (width,) = bucket.widths
        some = [rows[i] for i in members]
        token_ids, real = pad_rows(some, tokenizer.padding_id or 0, width)
        inputs = {"token_ids": token_ids, "padding_mask": real}
        if pairs:
            inputs["segment_ids"], _ = pad_rows(
                [segments[i] for i in members], 0, width
            )
        weigh = weights[members]
        weigh[-1] = 0.0
        arrays.append((inputs, targets[members], weigh))
    return bucketed_batches(buckets, arrays, seed if shuffle else None, repeat)


def _targets(labels, names, multi_label):
    """Int32 `(N,)`, or, with several labels each, float32 `(N, C)`."""
    if len(set(names)) < len(names) or not names:
        raise ValueError(
            f"`label_names` must be names, no two alike. Received: {names}"
        )
    places = {name: place for place, name in enumerate(names)}
    targets = np.zeros((len(labels), len(names)), "float32")
    for row, given in enumerate(labels):
        if not isinstance(given, (list, tuple, set) if multi_label else str):
            wanted = "a list of strings" if multi_label else "a string"
            raise TypeError(
                f"The label of a text must be {wanted}. Received: {given!r:.50} of "
                f"text {row}"
            )
        for label in given if multi_label else [given]:
            if label not in places:
                raise ValueError(
                    f"A label must be one of {names}. Received: {label!r} of text {row}"
                )
            targets[row, places[label]] = 1.0
    return targets if multi_label else targets.argmax(axis=1).astype("int32")


def _weights(labels, names, class_weights, multi_label):
    """Float32 `(N,)`."""
    if class_weights is None:
        return np.ones(len(labels), "float32")
    if multi_label:
        raise ValueError(
            "`class_weights` must be None where a text has any number of labels: the "
            "weight of a text would be that of all of them. "
            f"Received: class_weights={class_weights!r}"
        )
    if class_weights == "balanced":
        counts = Counter(labels)
        class_weights = {
            label: len(labels) / (len(counts) * count)
            for label, count in counts.items()
        }
    elif (
        not isinstance(class_weights, Mapping)
        or set(class_weights) != set(names)
        or not all(map(_is_weight, class_weights.values()))
    ):
        raise ValueError(
            '`class_weights` must be "balanced", or have a number above 0 for each of '
            f"{names}. Received: class_weights={class_weights!r}"
        )
    return np.array([class_weights[label] for label in labels], "float32")


def _is_weight(number):
    return isinstance(number, Real) and 0 < float(number) < math.inf
