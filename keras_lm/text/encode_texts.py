"""Texts, or pairs of them, as rows of token ids with the special tokens."""

from collections.abc import Sequence

from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.hugging_face_tokenizer import HuggingFaceTokenizer

_SPECIAL = 2, 4  # at most so many with a text and with a pair (RoBERTa's)


def encode_texts(
    tokenizer,
    texts: Sequence,
    max_length: int | None = None,
    truncate: bool = False,
    pairs: bool = False,
    numbers: Sequence[int] | None = None,
) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids and segments of each text.

    A text is its tokens and the separator; a pair, the tokens of both, each with the
    separator behind it. With a pretrained tokenizer it is what the model was trained
    on:

        SentencePiece: a separator             a separator b separator
        BERT:          [CLS] a [SEP]           [CLS] a [SEP] b [SEP]
        RoBERTa:       <s> a </s>              <s> a </s></s> b </s>

    Segments are 1 for `b` and the separator behind it, else 0; RoBERTa knows one only.

    Args:
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        texts: str or UTF-8 bytes; or tuples or lists of two.
        max_length: int or `None`. Most tokens of a text, or of both of a pair, special
            ones included.
        truncate: bool. Whether a longer text loses its end, of a pair the longer one
            first; else it is refused.
        pairs: bool. Whether `texts` are pairs.
        numbers: int for each text: what it is called in errors; its place when `None`.

    Returns:
        `(rows, segments)`: for each text a list of int, and another as long.

    Raises:
        TypeError: a text is neither str nor bytes, or a pair is none.
        ValueError: a text has more tokens, or `max_length` leaves no room.
    """
    least = _SPECIAL[pairs]
    if max_length is not None:
        check_at_least(1, max_length=max_length)
    if max_length is not None and max_length < least:
        raise ValueError(
            f"`max_length` must be at least {least}{' for pairs' * pairs}, the special "
            f"tokens. Received: max_length={max_length}"
        )
    texts, most = list(texts), max_length if truncate else None
    encode = _pairs if pairs else _texts
    rows, segments = encode(tokenizer, texts, most)
    if max_length is not None:
        numbers = range(len(rows)) if numbers is None else numbers
        for number, row in zip(numbers, rows, strict=True):
            if len(row) > max_length:
                raise ValueError(
                    f"A {'pair' if pairs else 'text'} must have at most {max_length} "
                    "tokens (or `truncate` be true). "
                    f"Received: {len(row)} in text {number}"
                )
    return rows, segments


def kept_of_pair(first: int, second: int, room: int) -> tuple[int, int]:
    """How much is kept of two texts that must share a room.

    The longer one loses its end until both are alike, then both do.

    Args:
        first: int. Tokens of the first.
        second: int. Tokens of the second.
        room: int. Tokens of both.

    Returns:
        `(first, second)`, the tokens kept.
    """
    if first + second <= room:
        return first, second
    shorter = min(first, second, room // 2)
    return (room - shorter, shorter) if first > second else (shorter, room - shorter)


def _texts(tokenizer, texts, most):
    rows = tokenizer.encode(texts)
    if not isinstance(tokenizer, HuggingFaceTokenizer):
        rows = [[*row, tokenizer.separator_id] for row in rows]
    if most is not None:  # the last token is a special one
        rows = [[*row[:-1][: most - 1], *row[-1:]] for row in rows]
    return rows, [[0] * len(row) for row in rows]


def _pairs(tokenizer, texts, most):
    for pair in texts:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(
                f"A pair must be a tuple or list of two texts. Received: {pair!r:.50}"
            )
    if isinstance(tokenizer, HuggingFaceTokenizer):
        return tokenizer.encode_pairs(texts, most)
    sides = [tokenizer.encode([pair[side] for pair in texts]) for side in (0, 1)]
    rows, segments = [], []
    for first, second in zip(*sides, strict=True):
        kept = len(first), len(second)
        if most is not None:
            kept = kept_of_pair(*kept, most - 2)
        first = [*first[: kept[0]], tokenizer.separator_id]
        second = [*second[: kept[1]], tokenizer.separator_id]
        rows.append([*first, *second])
        segments.append([0] * len(first) + [1] * len(second))
    return rows, segments
