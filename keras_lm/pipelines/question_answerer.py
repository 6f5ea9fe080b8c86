"""Finds the answer to a question in a text."""

from collections.abc import Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np

from keras_lm.models import SpanExtractor
from keras_lm.pipelines.check_encoder import check_encoder, check_pairs
from keras_lm.pipelines.predict_texts import predict_tokens
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.span_log_shares import span_log_shares
from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.context_windows import context_windows, window_arrays
from keras_lm.text.list_of_texts import list_of_texts

_MOST_AT_ONCE = 256  # windows; what is known of each of their spans is large


class Answer(NamedTuple):
    """A span of a context.

    Args:
        text: str, `context[start:end]`.
        start: int. Its first character; of a context in bytes, of the text they are.
        end: int. The character behind its last.
        score: float, 0 to 1. How likely it is the answer.
    """

    text: str
    start: int
    end: int
    score: float


class QuestionAnswerer:
    """Questions and contexts in, the spans of the contexts that answer them out.

    A context that is longer than the model is read in windows that overlap, and the
    likeliest span of all of them is the answer. `text.question_answering_dataset` makes
    what its model is fitted on, of the same texts, `max_length` and `stride`.

    Shapes: `B` questions.

    Args:
        model: `models.SpanExtractor`.
        tokenizer: `text.SentencePieceTokenizer`, or the `text.HuggingFaceTokenizer` of
            pretrained weights; the encoder must know two segments, or it put something
            between two texts.
        max_length: int, at least 5: most tokens of a question and what is read of its
            context at once, special ones included; the encoder's `max_sequence_length`
            when `None`.
        stride: int, at least 1: how many tokens after one another the windows begin;
            half of what a window holds when `None`.
        max_answer_length: int, at least 1. Most tokens of an answer.
        no_answer: bool. Whether a question may have none.
        threshold: float. With `no_answer`, how much likelier than none the best span
            must be, as a difference of logits (natural logarithm of the odds): 0 takes
            the likelier, more answers fewer questions.

    Raises:
        TypeError: `model` is of another class.
        ValueError: the vocabularies of model and tokenizer differ in size, a number is
            out of range, or nothing would tell question and context apart.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["who is it? Ada"] * 5, 300)
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> model = keras_lm.models.SpanExtractor(encoder)
        >>> answerer = QuestionAnswerer(model, tokenizer, no_answer=False)
        >>> (answer,) = answerer(["who is it?"], ["it is Ada"])
        >>> answer.text == "it is Ada"[answer.start : answer.end]
        True

    Source: https://arxiv.org/abs/1810.04805, sections 4.2 and 4.3;
        https://arxiv.org/abs/1710.10723 (windows compared by one scale).
    """

    def __init__(
        self,
        model,
        tokenizer,
        max_length: int | None = None,
        stride: int | None = None,
        max_answer_length: int = 30,
        no_answer: bool = True,
        threshold: float = 0.0,
    ):
        if not isinstance(model, SpanExtractor):
            raise TypeError(
                "`model` must be a `models.SpanExtractor`. "
                f"Received: {type(model).__name__}"
            )
        self.max_length = check_encoder(model.encoder, tokenizer, max_length, least=5)
        check_pairs(model.encoder, tokenizer)
        check_at_least(1, max_answer_length=max_answer_length)
        if stride is not None:
            check_at_least(1, stride=stride)
        if not isinstance(threshold, Real) or not np.isfinite(threshold):
            raise ValueError(
                f"`threshold` must be finite. Received: threshold={threshold!r}"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.stride = stride
        self.max_answer_length = max_answer_length
        self.no_answer = no_answer
        self.threshold = threshold

    def __call__(self, questions: Sequence, contexts: Sequence) -> list[Answer | None]:
        """The answer to each question.

        Args:
            questions: list of str or UTF-8 bytes; invalid bytes become U+FFFD.
            contexts: as many, or one str or bytes for all questions.

        Returns:
            list of `Answer`, or `None` where `no_answer` lets there be none.

        Raises:
            TypeError: `questions` is one string, or a text is neither str nor bytes.
            ValueError: there are not as many contexts as questions, a text is empty, or
                a question leaves no room for its context.
        """
        return [
            best[0] if not self.no_answer or lead > self.threshold else None
            for best, lead, _ in self._found(questions, contexts, 1)
        ]

    def n_best(
        self, questions: Sequence, contexts: Sequence, num_answers: int = 5
    ) -> list[list[Answer]]:
        """The likeliest spans for each question, whether or not one is the answer.

        Args:
            questions: as in the call.
            contexts: as in the call.
            num_answers: int, at least 1.

        Returns:
            list of lists of at most `num_answers` different `Answer`s, the likeliest
            first.

        Raises:
            TypeError: as the call.
            ValueError: as the call, or `num_answers` is below 1.
        """
        check_at_least(1, num_answers=num_answers)
        return [best for best, *_ in self._found(questions, contexts, num_answers)]

    def no_answer_scores(self, questions: Sequence, contexts: Sequence) -> np.ndarray:
        """How likely each question has no answer in its context.

        Args:
            questions: as in the call.
            contexts: as in the call.

        Returns:
            float32 `(B,)`, 0 to 1; 0 without `no_answer`.

        Raises:
            TypeError: as the call.
            ValueError: as the call.
        """
        found = self._found(questions, contexts, 1)
        return np.array([none for *_, none in found], "float32")

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes all of it to one directory, complete or not at all.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        names = ("max_length", "stride", "max_answer_length", "no_answer", "threshold")
        settings = {name: getattr(self, name) for name in names}
        save_pipeline(self, directory, settings, overwrite)

    def _found(self, questions, contexts, num_answers):
        """For each question `(n best answers, lead of the first, share of none)`."""
        questions = list_of_texts(questions, "questions")
        if isinstance(contexts, (str, bytes)):
            contexts = [contexts] * len(questions)
        windowed = context_windows(
            self.tokenizer, questions, contexts, self.max_length, self.stride
        )
        most = self.model.encoder.max_sequence_length
        found = []
        for some in _few_windows(windowed):
            arrays = window_arrays(self.tokenizer, some)
            logits = iter(predict_tokens(self.model, arrays, 2, most))
            for one in some:
                rows = [next(logits) for _ in one.windows]
                shares, none = span_log_shares(
                    one, rows, self.max_answer_length, self.no_answer
                )
                best = _n_best(one, shares, num_answers)
                found.append((best, shares.max() - none, np.exp(none)))
        return found


def _few_windows(windowed):
    """Lists of contexts with few windows together; at least one context each."""
    some, count = [], 0
    for one in windowed:
        if some and count + len(one.windows) > _MOST_AT_ONCE:
            yield some
            some, count = [], 0
        some.append(one)
        count += len(one.windows)
    if some:
        yield some


def _n_best(windowed, shares, num_answers):
    """Different answers, best first; of tokens that share a character, once."""
    answers, seen = [], set()
    for place in np.argsort(-shares, axis=None, kind="stable"):
        first, more = np.unravel_index(place, shares.shape)
        if len(answers) == num_answers or shares[first, more] == -np.inf:
            break
        start = int(windowed.offsets[first, 0])
        end = int(windowed.offsets[first + more, 1])
        if (start, end) not in seen:
            seen.add((start, end))
            score = float(np.exp(shares[first, more]))
            answers.append(Answer(windowed.context[start:end], start, end, score))
    return answers
