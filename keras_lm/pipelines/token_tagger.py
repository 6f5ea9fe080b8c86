"""Names pieces of a text: entities, words, the roles of a predicate."""

from collections.abc import Sequence

import numpy as np

from keras_lm.models import TokenClassifier
from keras_lm.pipelines.bio_rules import best_labels, bio_rules
from keras_lm.pipelines.check_encoder import check_encoder
from keras_lm.pipelines.check_labels import check_labels
from keras_lm.pipelines.predict_texts import predict_tokens
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.tagged_span import TaggedSpan
from keras_lm.pipelines.word_arrays import word_arrays
from keras_lm.text import split_words
from keras_lm.text.bio_labels import OUTSIDE
from keras_lm.text.bio_spans import word_spans
from keras_lm.text.encode_words import frame_of
from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.split_words import JOINERS
from keras_lm.text.unicode import as_unicode


class TokenTagger:
    """Strings in, the spans that were found in each out.

    Each word gets a label by its first token, and of all labels of a text together the
    likeliest that keep to BIO: "I-X" goes on in the span that "B-X" begins.
    Segmentation has the labels "B-word" and "I-word" for characters.
    `text.tagging_dataset` makes what its model is fitted on, of the same sentences,
    labels and settings.

    Shapes: `B` texts, `W` words of one, `L` labels.

    Args:
        model: `models.TokenClassifier`.
        tokenizer: `text.SentencePieceTokenizer`, or the `text.HuggingFaceTokenizer` of
            pretrained weights.
        labels: a string for each output: "O", "B-X", "I-X"; others are labels of single
            words. No two alike.
        split: "words", texts are split at white space; or "characters", as Chinese.
        marks_predicate: bool. Whether a word of each text is marked, as the predicate
            whose roles are asked for; the encoder must know two segments.
        max_length: int: most tokens of a text, special ones included; the encoder's
            `max_sequence_length` when `None`.
        truncate: bool. Whether a longer text loses its end, where all is "O"; else it
            is refused.

    Raises:
        TypeError: `labels` are not strings, or `model` is of another class.
        ValueError: there are not as many labels as outputs, two are alike, or one goes
            on in what none begins; the vocabularies of model and tokenizer differ in
            size; `split` is unknown; `max_length` is out of range; the encoder cannot
            be told the predicate; or texts are to be cut, and no label is "O".

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["Ada met Bob"] * 5, 300)
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> model = keras_lm.models.TokenClassifier(encoder, num_labels=3)
        >>> tagger = TokenTagger(model, tokenizer, ["O", "B-PER", "I-PER"])
        >>> len(tagger(["Ada met Bob", ""])), len(tagger.tags(["Ada met Bob"])[0])
        (2, 3)
    """

    def __init__(
        self,
        model,
        tokenizer,
        labels: Sequence[str],
        split: str = "words",
        marks_predicate: bool = False,
        max_length: int | None = None,
        truncate: bool = False,
    ):
        if not isinstance(model, TokenClassifier):
            raise TypeError(
                "`model` must be a `models.TokenClassifier`. "
                f"Received: {type(model).__name__}"
            )
        check_labels(labels, model.num_labels)
        least = 1 + sum(map(len, frame_of(tokenizer)))
        self.max_length = check_encoder(model.encoder, tokenizer, max_length, least)
        if marks_predicate and model.encoder.num_segments < 2:
            raise ValueError(
                "To be told a predicate the encoder must know two segments. "
                f"Received: num_segments={model.encoder.num_segments}"
            )
        if truncate and OUTSIDE not in labels:
            raise ValueError(
                'To cut texts there must be the label "O" for what is cut off. '
                f"Received: labels={list(labels)!r:.80}"
            )
        split_words("", split)  # refuses what is unknown
        self.may_begin, self.may_follow = bio_rules(labels)
        self.model = model
        self.tokenizer = tokenizer
        self.labels = list(labels)
        self.split = split
        self.marks_predicate = marks_predicate
        self.truncate = truncate

    def __call__(
        self, texts: Sequence, predicates: Sequence[int] | None = None
    ) -> list[list[TaggedSpan]]:
        """The spans of each text.

        Args:
            texts: list of str or UTF-8 bytes, in which invalid bytes become U+FFFD; or
                of lists of words, whose text is what `text.split_words` says.
            predicates: for each text the place of the word whose roles are asked for,
                from 0; only if `marks_predicate`.

        Returns:
            list of `B` lists of `TaggedSpan`, in the order of the text.

        Raises:
            TypeError: `texts` is one string or no list, a text is neither str nor
                bytes, or a predicate is no int.
            ValueError: a text has too many tokens, or there is not a predicate in each.
        """
        texts = list_of_texts(texts)
        placed, shares, tags = self._tagged(texts, predicates)
        return [
            self._spans(text, *parts)
            for text, *parts in zip(texts, placed, shares, tags, strict=True)
        ]

    def tags(
        self, texts: Sequence, predicates: Sequence[int] | None = None
    ) -> list[list[str]]:
        """The label of each word.

        Args:
            texts: as in the call.
            predicates: as in the call.

        Returns:
            list of `B` lists of `W` str.

        Raises:
            TypeError: as the call.
            ValueError: as the call.
        """
        return self._tagged(texts, predicates)[2]

    def log_probabilities(
        self, texts: Sequence, predicates: Sequence[int] | None = None
    ) -> list[np.ndarray]:
        """How likely each label of each word is, by itself.

        Args:
            texts: as in the call.
            predicates: as in the call.

        Returns:
            list of `B` arrays, float32 `(W, L)`, nats, at most 0; words that were cut
            off are not in them.

        Raises:
            TypeError: as the call.
            ValueError: as the call.
        """
        return self._log_probabilities(self._words(texts), predicates)

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes model, labels and tokenizer to one directory, complete or not at all.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        names = ("labels", "split", "marks_predicate", "max_length", "truncate")
        settings = {name: getattr(self, name) for name in names}
        save_pipeline(self, directory, settings, overwrite)

    def _words(self, texts):
        return [split_words(text, self.split) for text in list_of_texts(texts)]

    def _log_probabilities(self, placed, predicates):
        if (predicates is not None) != self.marks_predicate:
            given = "none" if predicates is None else f"predicates={predicates!r:.50}"
            wanted = (
                "there must be `predicates`"
                if self.marks_predicate
                else "none are read"
            )
            raise ValueError(
                f"With marks_predicate={self.marks_predicate} {wanted}. "
                f"Received: {given}"
            )
        words = [[word.text for word in row] for row in placed]
        arrays, firsts = word_arrays(
            self.tokenizer,
            words,
            predicates,
            self.split,
            self.max_length,
            self.truncate,
        )
        most = self.model.encoder.max_sequence_length
        logits = predict_tokens(self.model, arrays, len(self.labels), most)
        return [
            _log_softmax(of_text[first])
            for of_text, first in zip(logits, firsts, strict=True)
        ]

    def _tagged(self, texts, predicates):
        """Words with their places, log-probabilities and labels of each text."""
        placed = self._words(texts)
        shares = self._log_probabilities(placed, predicates)
        lengths = np.array([len(one) for one in shares], "int64")
        padded = np.zeros(
            (len(shares), lengths.max(initial=0), len(self.labels)), "float32"
        )
        for row, one in enumerate(shares):
            padded[row, : len(one)] = one
        best = best_labels(padded, lengths, self.may_begin, self.may_follow)
        tags = [
            [self.labels[place] for place in row[:length]]
            + [OUTSIDE] * (len(words) - int(length))
            for words, row, length in zip(placed, best, lengths, strict=True)
        ]
        return placed, shares, tags

    def _spans(self, text, words, shares, tags):
        whole = _whole(text, self.split)
        places = [self.labels.index(tag) for tag in tags[: len(shares)]]
        chosen = shares[np.arange(len(shares)), places]
        spans = []
        for first, end, label in word_spans(tags):
            start, stop = words[first].start, words[end - 1].end
            score = float(np.exp(chosen[first:end].mean()))
            spans.append(TaggedSpan(start, stop, label, score, whole[start:stop]))
        return spans


def _whole(text, split):
    """The text that places are counted in."""
    if not isinstance(text, (list, tuple)):
        return as_unicode(text)
    return JOINERS[split].join(as_unicode(word) for word in text)


def _log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
