"""Questions and their contexts as rows of tokens, long contexts in several."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.encoded_pair import EncodedPair
from keras_lm.text.hugging_face_tokenizer import HuggingFaceTokenizer
from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.pad_rows import pad_rows
from keras_lm.text.token_offsets import trim_offsets
from keras_lm.text.unicode import as_unicode

_AT_ONCE = 64  # what is encoded of a long context is large


class ContextWindow(NamedTuple):
    """A question and as much of its context as a model reads at once.

    Args:
        token_ids: list of int, special tokens included.
        segment_ids: list of int.
        first: int. Where in the row the context's tokens begin.
        place: int. How many tokens of the context stand before this window.
        num_tokens: int. How many are in it.
    """

    token_ids: list[int]
    segment_ids: list[int]
    first: int
    place: int
    num_tokens: int


class WindowedContext(NamedTuple):
    """All windows of a question and its context.

    Shapes: `N` tokens of the context.

    Args:
        context: str, valid Unicode.
        offsets: int64 `(N, 2)`: the first character of each token and the one behind
            its last, without white space; alike for a token of white space only.
        windows: list of `ContextWindow`, in the order of the text.
    """

    context: str
    offsets: np.ndarray
    windows: list[ContextWindow]


def context_windows(
    tokenizer,
    questions: Sequence,
    contexts: Sequence,
    max_length: int | None = None,
    stride: int | None = None,
) -> list[WindowedContext]:
    """Cuts what is longer than a model into windows that overlap.

    A row is what `encode_texts` makes of a pair; each window has the whole question.
    The windows of a context begin `stride` tokens after one another, at most as many as
    they hold, so that no token is left out.

    Args:
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        questions: str or UTF-8 bytes.
        contexts: str or UTF-8 bytes, one for each question.
        max_length: int: most tokens of a row, special ones included; `None`: no limit.
        stride: int, at least 1; half of what a window holds when `None`.

    Returns:
        list of `WindowedContext`, one for each question.

    Raises:
        TypeError: a text is neither str nor bytes, or `questions` or `contexts` is no
            list.
        ValueError: there are not as many contexts as questions; a question or a context
            is empty; a question leaves no room; or `stride` or `max_length` is no int
            or below 1.
    """
    questions = list_of_texts(questions, "questions")
    contexts = list_of_texts(contexts, "contexts")
    for name, number in [("stride", stride), ("max_length", max_length)]:
        if number is not None:
            check_at_least(1, **{name: number})
    if len(questions) != len(contexts):
        raise ValueError(
            "There must be a context for each question. "
            f"Received: {len(questions)} questions and {len(contexts)} contexts"
        )
    questions = [as_unicode(text) for text in questions]
    contexts = [as_unicode(text) for text in contexts]
    pairs = list(zip(questions, contexts, strict=True))
    windowed = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        for row, encoded in enumerate(_encoded(tokenizer, some), start):
            windowed.append(_windowed(encoded, *pairs[row], row, max_length, stride))
    return windowed


def window_arrays(
    tokenizer, windowed: Sequence[WindowedContext], width: int | None = None
) -> dict[str, np.ndarray]:
    """All windows as the arrays that `models.SpanExtractor` reads, padded at the end.

    Shapes: `W` windows of all, `T` tokens of the longest.

    Args:
        tokenizer: of `context_windows`.
        windowed: of `context_windows`.
        width: int, `T`, or `None` for the longest window's.

    Returns:
        dictionary of arrays `(W, T)`: int32 `token_ids`, bool `padding_mask`, int32
        `segment_ids` and bool `context_mask`, `True` at tokens of the context that are
        more than white space.
    """
    windows = [window for one in windowed for window in one.windows]
    rows = [window.token_ids for window in windows]
    token_ids, real = pad_rows(rows, tokenizer.padding_id or 0, width)
    segments, _ = pad_rows([window.segment_ids for window in windows], 0, width)
    mask, row = np.zeros(real.shape, "bool"), 0
    for one in windowed:
        for _, _, first, place, count in one.windows:
            starts, ends = one.offsets[place : place + count].T
            mask[row, first : first + count] = ends > starts
            row += 1
    return {
        "token_ids": token_ids,
        "padding_mask": real,
        "segment_ids": segments,
        "context_mask": mask,
    }


def _encoded(tokenizer, pairs):
    """An `EncodedPair` of each."""
    if isinstance(tokenizer, HuggingFaceTokenizer):
        return tokenizer.encode_pairs_with_offsets(pairs)
    end, encoded = tokenizer.separator_id, []
    for question, context in pairs:
        before = [*tokenizer.encode(question), end]
        token_ids, offsets = tokenizer.encode_with_offsets(context)
        sides = [*[0] * (len(before) - 1), -1, *[1] * len(token_ids), -1]
        around = np.zeros((len(before), 2), "int64"), np.zeros((1, 2), "int64")
        encoded.append(
            EncodedPair(
                [*before, *token_ids, end],
                [*[0] * len(before), *[1] * (len(token_ids) + 1)],
                np.array(sides, "int64"),
                np.concatenate([around[0], offsets, around[1]]),
            )
        )
    return encoded


def _windowed(encoded, question, context, row, max_length, stride):
    token_ids, segment_ids, sides, offsets = encoded
    inside = np.flatnonzero(sides == 1)
    _refuse_empty("question", question, bool((sides == 0).any()), row)
    _refuse_empty("context", context, len(inside) > 0, row)
    first, behind = int(inside[0]), int(inside[-1]) + 1
    room = behind - first
    if max_length is not None:
        around = len(token_ids) - room
        room = min(room, max_length - around)
        if room < 1:
            raise ValueError(
                "A question must leave room for its context: with the special tokens "
                f"it may have {max_length - 1} of the {max_length} tokens of "
                f"`max_length`. Received: {around} in question {row}"
            )
    step = min(stride or max(room // 2, 1), room)
    windows, start = [], first
    while True:
        end = min(start + room, behind)
        ids, segments = (
            [*one[:first], *one[start:end], *one[behind:]]
            for one in (token_ids, segment_ids)
        )
        place, count = start - first, end - start
        windows.append(ContextWindow(ids, segments, first, place, count))
        if end == behind:
            break
        start += step
    return WindowedContext(context, trim_offsets(context, offsets[inside]), windows)


def _refuse_empty(name, text, has_tokens, row):
    if not has_tokens or not text.strip():
        raise ValueError(
            f"A {name} must hold some text. Received: {text!r:.50} as {name} {row}"
        )
