"""Where the words of a text are, or its characters."""

import re
from typing import NamedTuple

from keras_lm.text.unicode import as_unicode

# What stands before each word but the first where words are given as a list.
JOINERS = {"words": " ", "characters": ""}
# White space as `str.split` knows it, written for RE2 too, which graphs use.
WHITE_SPACE = (
    r"[\t\n\v\f\r \x{1c}\x{1d}\x{1e}\x{1f}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}"
    r"\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
)
_WORD = re.compile(r"\S+")
_CHARACTER = re.compile(r"\S")


class Word(NamedTuple):
    """A word, and where it stands.

    Args:
        text: str.
        start: int. Its first character's place in the text.
        end: int. The place behind its last character.
    """

    text: str
    start: int
    end: int


def split_words(text: str | bytes | list | tuple, split: str = "words") -> list[Word]:
    """The words of a text, with their places; or its characters.

    Args:
        text: str or UTF-8 bytes; or a list of words, each str or bytes, whose text is
            taken to be all of them with a space between, or, of characters, with
            nothing between. Invalid bytes become U+FFFD, one character of the text.
        split: "words", at white space; or "characters": each code point that is no
            white space, as for Chinese.

    Returns:
        list of `Word`; `[]` for `""`.

    Raises:
        TypeError: `text`, or a word, is neither str nor bytes.
        ValueError: `split` is unknown.

    Example:
        >>> [(word.text, word.start) for word in split_words("a  mat 🙂")]
        [('a', 0), ('mat', 3), ('🙂', 7)]
        >>> [word.text for word in split_words("中文 🙂", "characters")]
        ['中', '文', '🙂']
    """
    if split not in JOINERS:
        raise ValueError(
            f"`split` must be one of {list(JOINERS)}. Received: split={split!r}"
        )
    if isinstance(text, (list, tuple)):
        return _placed([as_unicode(word) for word in text], len(JOINERS[split]))
    found = _WORD if split == "words" else _CHARACTER
    return [
        Word(match.group(), match.start(), match.end())
        for match in found.finditer(as_unicode(text))
    ]


def _placed(words, gap):
    placed, start = [], 0
    for word in words:
        placed.append(Word(word, start, start + len(word)))
        start += len(word) + gap
    return placed
