"""Pairs of segments of a text, of which half are not in order or not of one text."""

from collections.abc import Callable

import numpy as np

from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.masked_rows import hide_words
from keras_lm.text.split_sentences import split_sentences
from keras_lm.text.text_rows import own_tokens, start_of, text_rows

KINDS = ("order", "next")


class SentencePairs:
    """Encodes texts once; called, it makes pairs of segments of some rows.

    A row holds as many sentences of a text as there is room for, at least two. Behind
    one of them, drawn anew, it is cut into a first and a second segment. With the
    chance 1/2 the pair stays as it is; else, for `"order"`, the two are exchanged, and
    for `"next"` the second is that of a row of another text, without its end where
    that is too long.

    Shapes: `B` rows, `T` `sequence_length`.

    Args:
        texts: sequence of str or UTF-8 bytes.
        tokenizer: with `encode(list of texts)`, `separator_id` and `padding_id`.
        kind: "order" (ALBERT) or "next" (BERT).
        sequence_length: int. Tokens of a pair, special ones included.
        notify: function of one string; is told how many rows have one sentence only
            and so are left out.
        masking: `WordMasking` of this tokenizer, or `None`. Hides words of the pairs.

    Call arguments:
        rng: `numpy.random.Generator`.
        rows: int NumPy array `(B,)`: which.

    Returns:
        `(inputs, labels)` as `sentence_pair_dataset` gives them, or `(inputs, labels,
        weights)`.

    Raises:
        TypeError: a text is neither str nor bytes.
        ValueError: `kind` is unknown, there is no room, or there are too few sentences
            or texts.
    """

    def __init__(
        self,
        texts,
        tokenizer,
        kind: str,
        sequence_length: int,
        notify: Callable[[str], object] = print,
        masking=None,
    ):
        if kind not in KINDS:
            raise ValueError(
                f"`kind` must be one of {list(KINDS)}. Received: kind={kind!r}"
            )
        self.tokenizer = tokenizer
        self.kind = kind
        self.sequence_length = sequence_length
        self._room = sequence_length - len(start_of(tokenizer)) - 2
        if self._room < 2:
            raise ValueError(
                "`sequence_length` must have room for two tokens beside the special "
                f"ones. Received: sequence_length={sequence_length}"
            )
        rows = [
            (document, row)
            for document, text in enumerate(list_of_texts(texts))
            for row in _packed(_encoded(text, tokenizer, self._room), self._room)
        ]
        pairs = [(document, row) for document, row in rows if len(row) > 1]
        if len(pairs) < len(rows):
            notify(
                f"{len(rows) - len(pairs)} of {len(rows)} rows are left out: they have "
                "one sentence."
            )
        self._documents = np.array([document for document, _ in pairs], "int64")
        self._rows = [row for _, row in pairs]
        self._check()
        self.masking = masking
        self._most_hidden = 0 if masking is None else self._find_most_hidden(masking)

    def __len__(self):
        return len(self._rows)

    def __call__(self, rng, rows):
        labels = (rng.random(len(rows)) < 0.5).astype("int32")
        pairs = []
        for row, is_right in zip(rows, labels, strict=True):
            first, second = self._segments(rng, row)
            if not is_right and self.kind == "order":
                first, second = second, first
            elif not is_right:
                _, second = self._segments(rng, self._other(rng, row))
                second = second[: self._room - len(first)]
            pairs.append((first, second))
        inputs = self._framed(pairs)
        if self.masking is None:
            return inputs, labels
        hidden, tokens, counts = hide_words(
            inputs["token_ids"],
            inputs["padding_mask"],
            self.masking,
            rng,
            self._most_hidden,
        )
        weights = {"tokens": counts, "pairs": np.ones(len(rows), "float32")}
        return {**inputs, **hidden}, {"tokens": tokens, "pairs": labels}, weights

    def _framed(self, pairs):
        """Pairs in arrays, with what stands around their segments."""
        shape = (len(pairs), self.sequence_length)
        token_ids = np.full(shape, self.tokenizer.padding_id or 0, "int32")
        real, segment_ids = np.zeros(shape, "bool"), np.zeros(shape, "int32")
        before = start_of(self.tokenizer)
        separator = [self.tokenizer.separator_id]
        for i, (first, second) in enumerate(pairs):
            first = np.concatenate([before, first, separator])
            whole = np.concatenate([first, second, separator])
            token_ids[i, : len(whole)] = whole
            real[i, : len(whole)] = True
            segment_ids[i, len(first) : len(whole)] = 1
        return {
            "token_ids": token_ids,
            "padding_mask": real,
            "segment_ids": segment_ids,
        }

    def _find_most_hidden(self, masking):
        """The most tokens that are ever hidden in a pair of one text."""
        pairs = [(row[0], np.concatenate(row[1:])) for row in self._rows]
        inputs = self._framed(pairs)
        return masking.most_chosen(inputs["token_ids"], inputs["padding_mask"])

    def _segments(self, rng, row):
        sentences = self._rows[row]
        cut = rng.integers(1, len(sentences))
        return np.concatenate(sentences[:cut]), np.concatenate(sentences[cut:])

    def _other(self, rng, row):
        """A row of another text, all equally likely; those of a text are neighbours."""
        start, end = np.searchsorted(
            self._documents, self._documents[row] + np.arange(2)
        )
        other = rng.integers(len(self._rows) - (end - start))
        return other if other < start else other + end - start

    def _check(self):
        num_texts = len(np.unique(self._documents))
        least = 1 if self.kind == "order" else 2
        if num_texts < least:
            raise ValueError(
                f"`texts` must hold at least {least} of two sentences or more that fit "
                f"`sequence_length` together. Received: {num_texts}"
            )


def _encoded(text, tokenizer, room):
    """Arrays of the tokens of each sentence; one that is longer is several."""
    sentences = split_sentences(text)
    if not any(map(len, own_tokens(sentences, tokenizer))):
        return []
    return text_rows(sentences, tokenizer, room)


def _packed(sentences, room):
    """Lists of as many sentences as fit, in their order."""
    rows, width = [[]], 0
    for sentence in sentences:
        if width + len(sentence) > room:
            rows.append([])
            width = 0
        rows[-1].append(sentence)
        width += len(sentence)
    return [row for row in rows if row]
