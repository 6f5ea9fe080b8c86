"""Questions, contexts and answers to batches for a model that points at answers."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.bucketed_batches import bucketed_batches
from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.check_lists import check_lists
from keras_lm.text.context_windows import context_windows, window_arrays
from keras_lm.text.length_buckets import length_buckets
from keras_lm.text.token_offsets import covering_tokens
from keras_lm.text.unicode import as_unicode

_NONE = (0, 0)  # the first token of the row


def question_answering_dataset(
    questions: Sequence,
    contexts: Sequence,
    answers: Sequence,
    tokenizer,
    batch_size: int = 16,
    *,
    max_length: int | None = None,
    stride: int | None = None,
    num_buckets: int = 4,
    shuffle: bool = True,
    seed: int = 0,
    repeat: bool = False,
):
    """Batches of windows of about one length with the spans of answers, for `fit`.

    Rows are made as `pipelines.QuestionAnswerer` makes them. A context that is longer
    than `max_length` allows becomes several rows, windows that overlap; those that do
    not hold the whole answer have none, and neither has a question without one: their
    span is the first token of the row. Else it is the fewest tokens in which the answer
    is: where it begins or ends inside a token, the whole of it. An answer that no
    window holds is refused; one of at most `room - stride + 1` tokens never is, where
    windows hold `room`.

    Batches are few shapes, their order is drawn anew in each pass, and rows that fill
    the last batch of a shape have weight 0: see `classification_dataset`.

    Shapes: `B` rows, `T` tokens of the longest, special ones included; both differ
    between batches.

    Args:
        questions: str or UTF-8 bytes.
        contexts: str or UTF-8 bytes, one for each question.
        answers: one for each question: `(start, text)`, the character of the context
            (as Unicode) where it begins and what stands there; or `None`, no answer.
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        batch_size: int, at least 1. Most rows of a batch.
        max_length: int or `None`, no limit. Most tokens of a row, special ones
            included; a model with learned positions takes its `max_sequence_length`.
        stride: int, at least 1: how many tokens after one another the windows of a
            context begin; half of what a window holds when `None`.
        num_buckets: int, at least 1. At most so many shapes of batches.
        shuffle: bool. `False` keeps one order in all passes: short rows first.
        seed: int, 0 or above.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, spans, weights)`: the
        dictionary that `models.SpanExtractor` takes; int32 `(B, 2)`, the first and the
        last token of the answer; and float32 `(B,)`.

    Raises:
        TypeError: what must be a list is none, or a text or an answer is of another
            type.
        ValueError: a number is out of range; there is no question, or not a context and
            an answer for each; one is empty; an answer does not stand in its context
            where it should, or is whole in no window; or a question leaves no room for
            its context.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["who is it? Ada Ann"] * 5, 300)
        >>> dataset = keras_lm.text.question_answering_dataset(
        ...     ["who?", "what?"], ["Ada is", "it is Ann"], [(0, "Ada"), None],
        ...     tokenizer)
        >>> inputs, spans, weights = next(iter(dataset))
        >>> tuple(spans.shape)
        (2, 2)

    Source: https://arxiv.org/abs/1810.04805, sections 4.2 and 4.3;
        https://arxiv.org/abs/1806.03822 (questions without an answer).
    """
    check_at_least(1, batch_size=batch_size, num_buckets=num_buckets)
    check_at_least(0, seed=seed)
    windowed = context_windows(tokenizer, questions, contexts, max_length, stride)
    check_lists(answers=answers)
    answers = list(answers)
    if len(answers) != len(windowed) or not answers:
        raise ValueError(
            "There must be a question, and an answer (or None) for each. "
            f"Received: {len(windowed)} questions and {len(answers)} answers"
        )
    spans = np.array(
        [
            span
            for row, (one, answer) in enumerate(zip(windowed, answers, strict=True))
            for span in _spans(one, answer, row)
        ],
        "int32",
    )
    windowed = [  # one window each
        one._replace(windows=[window]) for one in windowed for window in one.windows
    ]
    sizes = [len(window.token_ids) for one in windowed for window in one.windows]
    lengths = np.array(sizes, "int64")[:, None]
    most = batch_size * int(lengths.max())
    buckets = length_buckets(lengths, most, num_buckets, batch_size)
    batches = []
    for bucket in buckets:
        members = [*bucket.rows, bucket.rows[0]]  # the last one fills batches
        (width,) = bucket.widths
        inputs = window_arrays(tokenizer, [windowed[row] for row in members], width)
        weights = np.ones(len(members), "float32")
        weights[-1] = 0.0
        batches.append((inputs, spans[members], weights))
    return bucketed_batches(buckets, batches, seed if shuffle else None, repeat)


def _spans(windowed, answer, row):
    """Of each window: the first and the last token of the answer in its row."""
    tokens = None
    if answer is not None:
        start, end = _characters(windowed.context, answer, row)
        tokens = covering_tokens(windowed.offsets, start, end)
        if tokens is None:
            raise ValueError(
                "An answer must be more than white space and what the tokenizer "
                f"throws away. Received: {answer!r:.80} of question {row}"
            )
    spans = [_span_in(window, tokens) for window in windowed.windows]
    if tokens is not None and not any(spans):
        raise ValueError(
            "An answer must fit in a window, whole: a smaller `stride` or a larger "
            f"`max_length`. Received: {tokens[1] - tokens[0] + 1} tokens, "
            f"{answer!r:.80} of question {row}, and windows of at most "
            f"{max(window.num_tokens for window in windowed.windows)}"
        )
    return [span or _NONE for span in spans]


def _span_in(window, tokens):
    """Tokens of the context as tokens of the row, or `None` if one is not in it."""
    behind = window.place + window.num_tokens
    if tokens is None or tokens[0] < window.place or tokens[1] >= behind:
        return None
    return tuple(one - window.place + window.first for one in tokens)


def _characters(context, answer, row):
    """`(start, end)` of an answer that stands where it should."""
    is_pair = isinstance(answer, (tuple, list)) and len(answer) == 2
    is_int = is_pair and isinstance(answer[0], (int, np.integer))
    if not is_int or isinstance(answer[0], bool):
        raise TypeError(
            "An answer must be (start, text), or None where there is none. "
            f"Received: {answer!r:.80} of question {row}"
        )
    start, text = int(answer[0]), as_unicode(answer[1])
    found = context[start : start + len(text)] if start >= 0 else ""
    if not text or found != text:
        raise ValueError(
            "An answer must stand in its context, some text from the character on that "
            f"`start` says. Received: {text!r:.50} at {start} of question {row}, where "
            f"the context has {found!r:.50}"
        )
    return start, start + len(text)
