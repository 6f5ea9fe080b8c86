"""Sentences with a label for each word to batches for a tagger."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.bio_spans import parse_label, word_spans
from keras_lm.text.bucketed_batches import bucketed_batches
from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.check_lists import check_lists
from keras_lm.text.encode_words import encode_words, first_tokens, marks_of
from keras_lm.text.length_buckets import length_buckets
from keras_lm.text.pad_rows import pad_rows
from keras_lm.text.split_words import split_words


def tagging_dataset(
    sentences: Sequence,
    labels: Sequence,
    tokenizer,
    label_names: Sequence[str],
    batch_size: int = 32,
    *,
    predicates: Sequence[int] | None = None,
    split: str = "words",
    max_length: int | None = None,
    truncate: bool = False,
    num_buckets: int = 4,
    shuffle: bool = True,
    seed: int = 0,
    repeat: bool = False,
):
    """Batches of sentences of about one length, their words labelled, for `model.fit`.

    Sentences are encoded once, as `pipelines.TokenTagger` does it. The first token of a
    word carries its label and the weight 1; the loss is taken nowhere else
    (`training.MaskedCrossEntropy`). For semantic roles a sentence is given once for
    each of its predicates.

    Batches are made as in `classification_dataset`: few shapes, which sentences share
    one drawn anew in each pass, rows that only fill a batch without weight. See
    `language_model_dataset` for `repeat` and for going on in another process.

    Shapes: `B` sentences, `T` tokens of the longest, special ones included; both differ
    between batches.

    Args:
        sentences: each a list of words (str or UTF-8 bytes), or a text that is split.
        labels: for each sentence a list of labels of `label_names`, one for each word;
            "I-X" behind "B-X" or "I-X" only, for so `pipelines.TokenTagger` answers.
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        label_names: the labels in the order of the model's outputs, no two alike.
        batch_size: int, at least 1. Most sentences of a batch.
        predicates: for each sentence the place of the word whose roles the labels are,
            from 0, which is marked; `None`: nothing is marked.
        split: "words", texts are split at white space; or "characters", and words in a
            list are joined without spaces, as in Chinese. See `split_words`.
        max_length: int or `None`, no limit. Most tokens of a sentence, special ones
            included; a model with learned positions takes its `max_sequence_length`.
        truncate: bool. Whether a longer sentence loses its end, and the labels there
            are not learned; else it is refused.
        num_buckets: int, at least 1. At most so many shapes of batches.
        shuffle: bool. `False` keeps one order in all passes: short sentences first.
        seed: int, 0 or above.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, targets, weights)`: a
        dictionary of `token_ids`, int32 `(B, T)`, `padding_mask`, bool `(B, T)`, and,
        with predicates, `marks`, int32 `(B, T)`; int32 `(B, T)`, the label of the word
        that begins there; and float32 `(B, T)`, 1 where one does, else 0.

    Raises:
        TypeError: what must be a list is none, or a word, a label or a predicate is of
            another type.
        ValueError: a number is out of range, there is no sentence, not a label for each
            word, an unknown one or an "I-X" that goes on in nothing, a sentence is
            longer than allowed, or a predicate is not in it.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["Ada met Bob"] * 5, 300)
        >>> dataset = keras_lm.text.tagging_dataset(
        ...     ["Ada met Bob", ["Bob"]], [["B-PER", "O", "B-PER"], ["B-PER"]],
        ...     tokenizer, ["O", "B-PER", "I-PER"], num_buckets=1)
        >>> inputs, targets, weights = next(iter(dataset))
        >>> int(weights.numpy().sum())
        4
    """
    check_at_least(1, batch_size=batch_size, num_buckets=num_buckets)
    check_at_least(0, seed=seed)
    check_lists(sentences=sentences, labels=labels, label_names=label_names)
    words = [[word.text for word in split_words(one, split)] for one in sentences]
    numbers = _numbers(words, list(labels), list(label_names))
    rows, places = encode_words(tokenizer, words, split, max_length, truncate)
    marks = None if predicates is None else marks_of(places, predicates, words)
    lengths = np.array([[max(1, len(row))] for row in rows], "int64")
    most = batch_size * int(lengths.max())
    buckets = length_buckets(lengths, most, num_buckets, batch_size)
    arrays = []
    for bucket in buckets:
        members = [*bucket.rows, bucket.rows[0]]  # the last one fills batches
        (width,) = bucket.widths
        token_ids, real = pad_rows(
            [rows[i] for i in members], tokenizer.padding_id or 0, width
        )
        inputs = {"token_ids": token_ids, "padding_mask": real}
        if marks is not None:
            inputs["marks"], _ = pad_rows([marks[i] for i in members], 0, width)
        targets = np.zeros(token_ids.shape, "int32")
        weights = np.zeros(token_ids.shape, "float32")
        for row, member in enumerate(members):
            first = first_tokens(places[member])
            targets[row, first] = numbers[member][: len(first)]
            weights[row, first] = 1.0
        weights[-1] = 0.0
        arrays.append((inputs, targets, weights))
    return bucketed_batches(buckets, arrays, seed if shuffle else None, repeat)


def _numbers(sentences, labels, names):
    """The number of each label, lists of lists of int."""
    if len(sentences) != len(labels) or not sentences:
        raise ValueError(
            "There must be labels for each sentence, and a sentence. "
            f"Received: {len(sentences)} sentences and {len(labels)} lists of labels"
        )
    if len(set(names)) < len(names) or not names:
        raise ValueError(
            f"`label_names` must be names, no two alike. Received: {names}"
        )
    places = {name: place for place, name in enumerate(names)}
    return [
        _numbers_of(sentence, given, places, number)
        for number, (sentence, given) in enumerate(zip(sentences, labels, strict=True))
    ]


def _numbers_of(sentence, given, places, number):
    if not isinstance(given, (list, tuple)) or not all(
        isinstance(label, str) for label in given
    ):
        raise TypeError(
            "The labels of a sentence must be a list of strings. "
            f"Received: {given!r:.50} of sentence {number}"
        )
    if len(given) != len(sentence):
        raise ValueError(
            "There must be a label for each word. Received: "
            f"{len(sentence)} words and {len(given)} labels in sentence {number}"
        )
    unknown = [label for label in given if label not in places]
    if unknown:
        raise ValueError(
            f"A label must be one of {list(places)}. "
            f"Received: {unknown[0]!r} in sentence {number}"
        )
    alone = [n for n, *_ in word_spans(given) if parse_label(given[n])[0] == "I"]
    if alone:
        raise ValueError(
            '"I-X" must stand behind "B-X" or "I-X", or no tagger would give it '
            "(`bio_labels` makes such labels of the spans that `bio_spans` reads). "
            f"Received: {given[alone[0]]!r} of word {alone[0]} in sentence {number}"
        )
    return [places[label] for label in given]
