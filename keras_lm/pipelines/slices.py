"""Texts longer than a model: cut at sentences, or into windows, and joined again."""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from keras_lm.text.unicode import unescape

# A sentence's end, and the space behind it. A full stop ends one before a space only.
_END = re.compile(
    r"""(?:[.!?\u2026]+["'\u201d\u2019\u00bb)\]]*(?=\s)"""
    r"""|[\u3002\uff01\uff1f\uff1b]+[\u201d\u2019\u300d\u300f\uff09]*|\n)\s*"""
)
_SHORTEST_MATCH = 3  # tokens that must be the same where windows overlap


class Part(NamedTuple):
    """Some sentences that fit a model, or one that does not, in windows.

    Args:
        rows: lists of token ids: one, or overlapping windows; none of a part that holds
            spaces only.
        gap: str: the space that stood behind the part, before the next.
    """

    rows: list[list[int]]
    gap: str


def slices(text: str, tokenizer, max_tokens: int, overlap: int) -> list[Part]:
    """A text in parts of at most so many tokens; every token is in one, or in two.

    A text that fits is one part, as it is. Else sentences stay whole, and as many as
    fit make a part. A sentence that does not fit is cut into windows, before a space if
    there is one, and never inside a character.

    Args:
        text: str.
        tokenizer: `text.SentencePieceTokenizer`.
        max_tokens: int, at least 1. Of each row.
        overlap: int, at least 0 and at most half of `max_tokens`. Tokens that a window
            shares with the one before it, or up to twice as many, to begin at a word.

    Returns:
        list of `Part`, in the order of the text.
    """
    row = tokenizer.encode(text)
    if len(row) <= max_tokens:
        return [Part([row], "")]
    parts = []
    groups = _groups(_sentences(text), tokenizer, max_tokens)
    for number, group in enumerate(groups, start=1):
        body = group if number == len(groups) else group.rstrip()
        row = tokenizer.encode(body)
        fits = len(row) <= max_tokens
        rows = [row] if fits else _windows(row, tokenizer, max_tokens, overlap)
        parts.append(Part(rows if row else [], group[len(body) :]))
    return parts


def merge(some: Sequence, others: Sequence, reach: int) -> list:
    """The answers for two overlapping windows as one.

    The longest run of tokens that the end of the first and the beginning of the second
    share is where they are joined. Without one of 3 tokens, both stay whole.

    Args:
        some: tokens.
        others: tokens.
        reach: int. How many tokens from the seam a run may lie.

    Returns:
        list of tokens.
    """
    some, others = list(some), list(others)
    start = max(len(some) - reach, 0)
    tail, head = some[start:], others[:reach]
    matcher = difflib.SequenceMatcher(None, tail, head, autojunk=False)
    found = matcher.find_longest_match()
    if found.size < _SHORTEST_MATCH:
        return some + others
    return some[: start + found.a + found.size] + others[found.b + found.size :]


def merged_text(windows: Sequence[Sequence[bytes]], reach: int) -> str:
    """The text of the answers to a part's windows.

    Args:
        windows: for each the bytes of its tokens.
        reach: see `merge`.

    Returns:
        str.
    """
    pieces = list(windows[0]) if windows else []
    for window in windows[1:]:
        pieces = merge(pieces, window, reach)
    return unescape(b"".join(pieces).decode("utf-8", "replace"))


def joined_text(parts: Sequence[Part], found: Sequence, reach: int) -> str:
    """The text of the answers to all parts of a text.

    Args:
        parts: as `slices` gave them.
        found: for each part what `merged_text` takes.
        reach: see `merge`.

    Returns:
        str.
    """
    joiner, texts = Joiner(), []
    for part, windows in zip(parts, found, strict=True):
        texts.append(joiner.push(merged_text(windows, reach)))
        joiner.end_part(part.gap)
    return "".join(texts)


class Joiner:
    """Puts the answers for the parts of a text together, whole or piece by piece.

    Newlines between parts stay. Otherwise there is one space between two answers, and
    none beside Chinese or Japanese, whatever the source had.

    Example:
        >>> from keras_lm.pipelines.slices import Joiner
        >>> joiner = Joiner()
        >>> pieces = [joiner.push("Hello."), joiner.end_part(""), joiner.push("Bye.")]
        >>> "".join(piece for piece in pieces if piece)
        'Hello. Bye.'
    """

    def __init__(self):
        self._before = ""  # the last character so far
        self._gap = None  # behind the last part, until there is more

    def push(self, piece: str) -> str:
        """What to write for more text of this part.

        Args:
            piece: str.

        Returns:
            str: the piece, after the space that belongs before it.
        """
        if not piece:
            return ""
        glue = "" if self._gap is None else _glue(self._gap, self._before, piece[0])
        self._before, self._gap = piece[-1], None
        return glue + piece

    def end_part(self, gap: str) -> None:
        """Ends a part.

        Args:
            gap: str: the space behind it in the source.
        """
        self._gap = (self._gap or "") + gap


def _sentences(text):
    ends = [match.end() for match in _END.finditer(text)]
    edges = sorted({0, *ends, len(text)})
    return [text[a:b] for a, b in zip(edges, edges[1:], strict=False)]


def _groups(sentences, tokenizer, max_tokens):
    """As many sentences together as fit; one that does not fit is alone."""
    groups, used = [], 0
    rows = tokenizer.encode(sentences)
    # The last one of a group is counted without the space behind it.
    lasts = tokenizer.encode([sentence.rstrip() for sentence in sentences])
    for sentence, row, last in zip(sentences, rows, lasts, strict=True):
        if groups and used + len(last) <= max_tokens:
            groups[-1] += sentence
            used += len(row)
        else:
            groups.append(sentence)
            used = len(row)
    return groups


def _windows(row, tokenizer, max_tokens, overlap):
    windows, start = [], 0
    while start + max_tokens < len(row):
        earliest = start + max(max_tokens // 2, overlap) + 1
        end = _cut(row, tokenizer, earliest, start + max_tokens)
        windows.append(row[start:end])
        if overlap:
            earliest = max(start + 1, end - 2 * overlap)
            start = _cut(row, tokenizer, earliest, end - overlap)
        else:
            start = end
    return [*windows, row[start:]]


def _cut(row, tokenizer, earliest, latest):
    """The last good place to cut, before a token: at a space, or at a character."""
    places = range(latest, earliest - 1, -1)
    first_bytes = [tokenizer.vocabulary_bytes[row[i]][:1] for i in places]
    for place, byte in zip(places, first_bytes, strict=True):
        if byte == b" ":
            return place
    for place, byte in zip(places, first_bytes, strict=True):
        if not b"\x80" <= byte < b"\xc0":  # a byte within a character
            return place
    return latest


def _glue(gap, before, after):
    if "\n" in gap:
        return gap
    if not before or before.isspace() or after.isspace():
        return ""
    return "" if _has_no_spaces(before) or _has_no_spaces(after) else " "


def _has_no_spaces(character):
    """Whether it is of a script without spaces, or its punctuation; Korean has them."""
    is_wide = unicodedata.east_asian_width(character) in "WF"
    return is_wide and not "\uac00" <= character <= "\ud7a3"
