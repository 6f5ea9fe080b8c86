"""Texts longer than a model: cut at sentences, or into windows, and joined again."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from keras_lm.text.unicode import ESCAPE, unescape

# A sentence's end, and the space behind it. A full stop ends one before a space only.
# Unlike `text.split_sentences`, which reads corpora, whose lines may be wrapped, each
# newline ends one, for the answer keeps it; so does "；": what is shorter fits sooner.
_END = re.compile(
    r"""(?:[.!?\u2026]+["'\u201d\u2019\u00bb)\]]*(?=\s)"""
    r"""|[\u3002\uff01\uff1f\uff1b]+[\u201d\u2019\u300d\u300f\uff09]*|\n)\s*"""
)
_SHORTEST_RUN = 3  # tokens that must be the same where windows overlap


class Part(NamedTuple):
    """Some sentences that fit a model, or one that does not, in windows.

    Args:
        rows: lists of token ids: one, or overlapping windows; none of a part that holds
            spaces only.
        gap: str: the space that stood behind the part, before the next.
        shared: for each row but the first, how many of its tokens the one before has,
            too.
    """

    rows: list[list[int]]
    gap: str
    shared: Sequence[int] = ()


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
        rows, shared = _windows(row, tokenizer, max_tokens, overlap)
        parts.append(Part(rows if row else [], group[len(body) :], shared))
    return parts


def merge(some: Sequence, others: Sequence, expected: int) -> list:
    """The answers for two overlapping windows as one.

    The end of the first is laid over the beginning of the second, by as many tokens as
    make the longest run of equal ones; a token above `expected` counts against the run.
    What the first has behind the run, and the second before it, is left out. In doubt
    nothing is: both stay whole where less than 3 tokens count for a run, or where it is
    shorter than what would be left out at one side.

    Args:
        some: tokens.
        others: tokens.
        expected: int. How many tokens of the answers come from what the windows share.

    Returns:
        list of tokens.

    Example:
        >>> from keras_lm.pipelines.slices import merge
        >>> "".join(merge("the cat sa.", "A cat sat on it.", expected=7))
        'the cat sat on it.'
    """
    left_out, skipped = _seam(some, others, expected)
    return [*some[: len(some) - left_out], *others[skipped:]]


def merged_text(part: Part, answers: Sequence) -> str:
    """The text of the answers to a part's windows.

    An answer that was cut off says nothing of its window's end: it stays whole.

    Args:
        part: as `slices` gave it.
        answers: for each row what has `pieces`, the bytes of its tokens, and
            `finished`, as `search_rows.Found`.

    Returns:
        str.
    """
    pieces = list(answers[0].pieces) if answers else []
    pairs = itertools.pairwise(zip(part.rows, answers, strict=True))
    for ((row, one), (next_row, other)), shared in zip(pairs, part.shared, strict=True):
        scale = (len(one.pieces) + len(other.pieces)) / (len(row) + len(next_row))
        expected = round(shared * scale) if one.finished else 0
        left_out, skipped = _seam(one.pieces, other.pieces, expected)
        if skipped:
            pieces = pieces[: len(pieces) - left_out]
        else:
            pieces.append(_space_between(b"".join(pieces), b"".join(other.pieces)))
        pieces += other.pieces[skipped:]
    return unescape(b"".join(pieces).decode("utf-8", "replace"))


def joined_text(parts: Sequence[Part], found: Sequence) -> str:
    """The text of the answers to all parts of a text.

    Args:
        parts: as `slices` gave them.
        found: for each part what `merged_text` takes.

    Returns:
        str.
    """
    joiner, texts = Joiner(), []
    for part, answers in zip(parts, found, strict=True):
        texts.append(joiner.push(merged_text(part, answers)))
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
    """`(windows, shared)`: see `Part`."""
    windows, shared, start = [], [], 0
    while start + max_tokens < len(row):
        earliest = start + max(max_tokens // 2, overlap) + 1
        end = _cut(row, tokenizer, earliest, start + max_tokens)
        windows.append(row[start:end])
        if overlap:
            earliest = max(start + 1, end - 2 * overlap)
            start = _cut(row, tokenizer, earliest, end - overlap)
        else:
            start = end
        shared.append(end - start)
    return [*windows, row[start:]], shared


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


def _seam(some, others, expected):
    """How many tokens the first loses at its end, and the second at its beginning."""
    best, seam = _SHORTEST_RUN - 1, (0, 0)
    for shared in range(_SHORTEST_RUN, min(len(some), len(others)) + 1):
        before, size = _longest_run(some[len(some) - shared :], others)
        behind = shared - before - size
        worth = size - max(shared - expected, 0)
        if worth > best and size >= max(before, behind):
            best, seam = worth, (behind, before + size)
    return seam


def _longest_run(some, others):
    """Where both have the same tokens at the same places: `(begin, size)`."""
    begin = size = count = 0
    for place, (one, other) in enumerate(zip(some, others, strict=False), start=1):
        count = count + 1 if one == other else 0
        if count > size:
            begin, size = place - count, count
    return begin, size


def _space_between(before, after):
    """What stands between answers, UTF-8 bytes, that were not merged."""
    before = before.decode("utf-8", "replace")[-1:]
    after = after.decode("utf-8", "replace")[:1]
    if not after or {before, after} & {"\ufffd", ESCAPE}:  # maybe half a character
        return b""
    return _glue("", before, after).encode()


def _glue(gap, before, after):
    if "\n" in gap:
        return gap
    if not before or before.isspace() or after.isspace():
        return ""
    return "" if _has_no_spaces(before) or _has_no_spaces(after) else " "


def _has_no_spaces(character):
    """Whether it is of a script without spaces, or its punctuation; Korean has them.

    Not `text.unspaced_scripts`: this is between sentences, where Thai, Lao, Burmese and
    Khmer have a space, and what stands there is punctuation.
    """
    is_wide = unicodedata.east_asian_width(character) in "WF"
    return is_wide and not "\uac00" <= character <= "\ud7a3"
