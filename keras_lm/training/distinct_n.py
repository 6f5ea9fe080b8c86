"""How much of what a model says it has not said before (Li et al., 2016)."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from keras_lm.text.unicode import as_unicode
from keras_lm.training.compare_texts import UNSPACED

_LETTERS = f"(?:(?![{UNSPACED}])[^\\W_])+"  # others stand alone
_TOKEN = re.compile(rf"{_LETTERS}(?:['\u2019]{_LETTERS})*|\S")
# What belongs to the character before it, besides marks: joiners, colours of skin, and
# the letters of flags that are no countries'.
_JOINER = "\u200d"
_ATTACHED = re.compile("[\u200c\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_COUNTRY = re.compile("[\U0001f1e6-\U0001f1ff]")  # two are a flag


def distinct_n(texts: Sequence, n: int) -> float:
    """Different n-grams of all texts together, for each token of theirs.

        distinct-n = |set of n-grams| / number of tokens

    Near 0 a model says the same whatever it is asked; people come nearer to 1. It falls
    as texts are added, so only as much text can be compared with it.

    A token is a word, in small letters; a Chinese or Japanese character, for there no
    space says where words end; or any other character, as a comma or an emoji. What
    stands on a character belongs to it: accents, vowel signs, and the parts of an emoji
    of several. n-grams end where their text does.

    Differs from what many programs print for `n` above 1, which divide by the number of
    n-grams; the paper divides by that of tokens.

    Args:
        texts: str or UTF-8 bytes.
        n: int, at least 1.

    Returns:
        float, 0 to 1; 0 where there is no token.

    Raises:
        TypeError: `texts` is one string or no list, or holds something else than texts.
        ValueError: `n` is no int, or below 1.

    Example:
        >>> texts = ["I don't know.", "I don't know!", "我知道"]
        >>> keras_lm.training.distinct_n(texts, 1)  # 8 of 11
        0.7272727272727273

    Source: https://aclanthology.org/N16-1014/, section 5.3.
    """
    if not isinstance(texts, Iterable) or isinstance(texts, (str, bytes)):
        raise TypeError(f"`texts` must be a list of texts. Received: {texts!r:.50}")
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"`n` must be an int, at least 1. Received: n={n!r}")
    grams, num_tokens = set(), 0
    for text in texts:
        tokens = _tokens(text)
        num_tokens += len(tokens)
        grams.update(zip(*(tokens[start:] for start in range(n)), strict=False))
    return len(grams) / num_tokens if num_tokens else 0.0


def _tokens(text):
    composed = unicodedata.normalize("NFC", as_unicode(text))
    characters = []  # with what stands on them
    for one in composed.lower():
        if characters and _belongs(characters[-1], one):
            characters[-1] += one
        else:
            characters.append(one)
    bases = "".join(one[0] for one in characters)
    return [
        "".join(characters[slice(*match.span())]) for match in _TOKEN.finditer(bases)
    ]


def _belongs(before, one):
    """Whether a character stands on the one before it."""
    if before.isspace():
        return False
    category = unicodedata.category(one)
    if category[0] == "M" or _ATTACHED.match(one):
        return True
    if before[-1] == _JOINER:
        return category[0] == "S"  # letters remain letters
    return bool(_COUNTRY.fullmatch(before) and _COUNTRY.match(one))
