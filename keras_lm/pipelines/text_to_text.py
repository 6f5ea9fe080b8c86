"""Turns texts into other texts: an encoder-decoder and its tokenizers."""

import math
from collections.abc import Iterator

import numpy as np

from keras_lm.pipelines.answer import Answer
from keras_lm.pipelines.check_count import check_count
from keras_lm.pipelines.check_search_options import check_search_options
from keras_lm.pipelines.check_vocabularies import check_vocabularies
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.score_pairs import score_pairs
from keras_lm.pipelines.search_rows import search_rows, stream_row
from keras_lm.pipelines.slices import Joiner, joined_text, merged_text, slices
from keras_lm.pipelines.target_prefixes import target_prefixes
from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.unicode import as_unicode


class TextToText:
    """Strings in, other strings out: translation, summaries, answers.

    A source is its tokens and the separator; an answer begins after a separator and
    ends at the next, as `text.parallel_dataset` has it. The empty text has the empty
    answer. A text that is longer than `max_source_length` is cut: into groups of whole
    sentences, or, where one sentence is too long, into windows that overlap; their
    answers are joined, and no part is left out.

    Args:
        model: an encoder-decoder of the decoding protocol, for example
            `models.TransformerEncoderDecoder`.
        source_tokenizer: `text.SentencePieceTokenizer`.
        target_tokenizer: the same; one may serve both.
        max_new_tokens: int, at least 1 and below the model's `max_sequence_length`; or
            `None` for 256, or what the model can write. Default of the calls.
        max_source_length: int, at least 2, or `None` for the model's
            `max_sequence_length`. Tokens of a source, the separator included; where
            the model has learned positions, at most as many as these.
        overlap: int, at least 0 and at most half of `max_source_length`. Tokens that a
            window shares with the one before, or up to twice as many, to begin at a
            word; `None` for an eighth.

    Raises:
        TypeError: a tokenizer is a `text.HuggingFaceTokenizer`.
        ValueError: the vocabularies of model and tokenizers differ in size, or a number
            is out of range.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> model = keras_lm.models.TransformerEncoderDecoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> translator = TextToText(model, tokenizer, tokenizer, max_new_tokens=4)
        >>> len(translator(["one", "two"], beam_size=2))
        2
    """

    TOKENIZERS = ("source_tokenizer", "target_tokenizer")

    def __init__(
        self,
        model,
        source_tokenizer,
        target_tokenizer,
        max_new_tokens: int | None = None,
        max_source_length: int | None = None,
        overlap: int | None = None,
    ):
        check_vocabularies(model, source_tokenizer, target_tokenizer)
        room = model.max_sequence_length
        if max_new_tokens is None:
            max_new_tokens = min(256, room - 1)
        check_count("max_new_tokens", max_new_tokens, 1, room - 1)
        max_source_length = room if max_source_length is None else max_source_length
        most = getattr(model, "max_source_length", None) or math.inf
        check_count("max_source_length", max_source_length, 2, most)
        overlap = max_source_length // 8 if overlap is None else overlap
        check_count("overlap", overlap, 0, max_source_length // 2)
        self.model = model
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.max_new_tokens = max_new_tokens
        self.max_source_length = max_source_length
        self.overlap = overlap

    def __call__(
        self,
        texts,
        beam_size: int = 4,
        max_new_tokens: int | None = None,
        length_penalty: float = 1.0,
        **options,
    ):
        """The best answer to each text.

        Args:
            texts: str or UTF-8 bytes, a list of these, or a `tf.data.Dataset` of
                strings or of batches of strings.
            beam_size: int, at least 1; 1 is greedy.
            max_new_tokens: int, at least 1, for each slice; the pipeline's own when
                `None`.
            length_penalty: float; see `generation.beam_search`.
            **options: others of `generation.beam_search` (`coverage_penalty`, ..), and
                two more. `max_batch_tokens`, int, 2048 by default: texts are sorted by
                length into batches of at most so many source tokens, padding included;
                answers come back in order. `replace_unknown`, bool: whether the unknown
                token is replaced by the source token that was most looked at, for which
                the model must have `step_with_attention`. A model that learned with
                these tokenizers, which spell every word, never says that token: it is
                for one that knows it from elsewhere, and what is put in is a piece of
                a word. Words are replaced by `generation.replace_unknown`.
                `target_prefix` is a str for all texts, or a list with one for each: how
                the answer begins. It counts neither for the score nor as new tokens;
                its text must fit in one slice.

        Returns:
            str for one text, list of str otherwise.

        Raises:
            TypeError: a text is neither str nor bytes, or an option is unknown.
            ValueError: an argument is out of range, or does not fit the model, or no
                answer has a finite score (the training diverged).
        """
        check_search_options(options, "num_hypotheses")
        options.update(max_new_tokens=max_new_tokens, length_penalty=length_penalty)
        if isinstance(texts, (str, bytes)):
            return self.n_best([texts], 1, beam_size, **options)[0][0].text
        if hasattr(texts, "as_numpy_iterator"):  # a tf.data.Dataset
            batches = [np.asarray(batch, object) for batch in texts.as_numpy_iterator()]
            texts = [text for batch in batches for text in batch.ravel()]
        found = self.n_best(texts, 1, beam_size, **options)
        return [answers[0].text for answers in found]

    def n_best(
        self,
        texts,
        num_hypotheses: int = 4,
        beam_size: int = 4,
        target_prefix=None,
        **options,
    ) -> list[list[Answer]]:
        """The best answers to each text, with their scores, best first.

        Of a text that was cut, the `n`-th answer is the `n`-th of each slice. Two may
        be spelled alike, by other tokens.

        Args:
            texts: list of str or UTF-8 bytes.
            num_hypotheses: int, at most `beam_size`; more with `alternatives=True`.
            beam_size: int, at least 1.
            target_prefix: str for all texts, or a list with one for each.
            **options: as in the call.

        Returns:
            for each text at most `num_hypotheses` of `Answer(text, score, finished)`,
            and fewer where the model knows no more.

        Raises:
            TypeError: `texts` is one string, or as the call.
            ValueError: as the call.
        """
        texts = list_of_texts(texts)
        check_search_options(options)
        documents = [self._slices(text) for text in texts]
        prefixes = target_prefixes(target_prefix, documents, self.target_tokenizer)
        rows = [row for parts in documents for part in parts for row in part.rows]
        options.update(num_hypotheses=num_hypotheses, beam_size=beam_size)
        found = iter(self._search(rows, target_prefix=prefixes, **options))
        answers = []
        for parts in documents:
            of_parts = [[next(found) for _ in part.rows] for part in parts]
            counts = [len(ranked) for windows in of_parts for ranked in windows]
            ranks = range(min(counts, default=1))
            answers.append([self._joined(parts, of_parts, rank) for rank in ranks])
        return answers

    def stream(self, text: str | bytes, target_prefix=None, **options) -> Iterator[str]:
        """The greedy answer to one text, in pieces as they come.

        It is made a few tokens at a time, each time from the source and what was said:
        the same as the call with `beam_size=1`. A sentence in windows comes at once.

        Args:
            text: str or UTF-8 bytes.
            target_prefix: str: how the answer begins.
            **options: `max_new_tokens` and others of the call, without `beam_size`.

        Returns:
            iterator of str, never half a character; together, what the call gives.

        Raises:
            TypeError, ValueError: as the call, with the first piece.
        """
        check_search_options(options, "beam_size", "num_hypotheses")
        joiner, parts = Joiner(), self._slices(text)
        prefixes = target_prefixes(target_prefix, [parts], self.target_tokenizer)
        for part in parts:
            for piece in map(joiner.push, self._streamed(part, prefixes, options)):
                if piece:
                    yield piece
            joiner.end_part(part.gap)

    def score(self, sources, targets, max_batch_tokens: int = 2048) -> np.ndarray:
        """How likely the model finds each target, given its source.

        Args:
            sources: list of str or UTF-8 bytes.
            targets: as many of these.
            max_batch_tokens: int. Target tokens of a batch, padding included.

        Returns:
            float32 `(len(targets),)`: log-likelihoods, nats, at most 0; the sum over
            the tokens of the target and the separator that ends it.

        Raises:
            TypeError: `sources` or `targets` is one string.
            ValueError: they are not of one number, or one is longer than the model.
        """
        return score_pairs(
            self.model,
            self.source_tokenizer.encode(list_of_texts(sources, "sources")),
            self.target_tokenizer.encode(list_of_texts(targets, "targets")),
            self.source_tokenizer,
            self.target_tokenizer,
            self.max_source_length,
            max_batch_tokens,
        )

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes model and tokenizers to one directory, complete or not at all.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        settings = {
            "max_new_tokens": self.max_new_tokens,
            "max_source_length": self.max_source_length,
            "overlap": self.overlap,
        }
        save_pipeline(self, directory, settings, overwrite)

    def _slices(self, text):
        text = as_unicode(text)
        most = self.max_source_length - 1  # the separator
        return slices(text, self.source_tokenizer, most, min(self.overlap, most // 2))

    def _search(self, rows, max_new_tokens=None, **options):
        return search_rows(
            self.model,
            rows,
            self.source_tokenizer,
            self.target_tokenizer,
            max_new_tokens=self._limit(max_new_tokens),
            **options,
        )

    def _streamed(self, part, prefixes, options):
        """The pieces of one part's greedy answer."""
        if len(part.rows) != 1 or not part.rows[0]:
            given = {"beam_size": 1, "target_prefix": prefixes}
            found = self._search(part.rows, **given, **options)
            yield merged_text(part, [answers[0] for answers in found])
            return
        options = {**options, "max_new_tokens": self._limit(**options)}
        options.pop("max_batch_tokens", None)  # it is one row
        (prefix,) = prefixes or [()]
        decoder = self.target_tokenizer.stream_decoder()
        given = part.rows[0], self.source_tokenizer, self.target_tokenizer
        for piece in stream_row(self.model, *given, target_prefix=prefix, **options):
            yield decoder.push_bytes(piece)
        yield decoder.flush()

    def _joined(self, parts, found, rank):
        """The answers of one rank to all parts of a text, as one."""
        chosen = [[ranked[rank] for ranked in windows] for windows in found]
        text = joined_text(parts, chosen)
        every = [one for windows in chosen for one in windows]
        score, finished = sum(a.score for a in every), all(a.finished for a in every)
        return Answer(text, score, finished)

    def _limit(self, max_new_tokens=None, **_):
        limit = self.max_new_tokens if max_new_tokens is None else max_new_tokens
        check_count("max_new_tokens", limit, 1, self.model.max_sequence_length - 1)
        return limit
