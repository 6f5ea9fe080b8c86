"""How much of what a model says it has not said before (Li et al., 2016)."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from keras_lm.text.unicode import as_unicode
from keras_lm.text.unspaced_scripts import UNSPACED
from keras_lm.training.match_characters import match_characters

_LETTERS = f"(?:(?![{UNSPACED}])[^\\W_])+"  # others stand alone
_TOKEN = re.compile(rf"{_LETTERS}(?:['\u2019]{_LETTERS})*|\S")


def distinct_n(texts: Sequence, n: int) -> float:
    """Different n-grams of all texts together, for each token of theirs.

        distinct-n = |set of n-grams| / number of tokens

    Near 0 a model says the same whatever it is asked; people come nearer to 1. It falls
    as texts are added, so only as much text can be compared with it.

    A token is a word, in small letters; a Chinese, Japanese, Thai, Lao, Burmese or
    Khmer character, for there no space says where words end; or any other character, as
    a comma or an emoji. What stands on a character belongs to it: accents, vowel signs,
    and the parts of an emoji of several. n-grams end where their text does.

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
        tokens = match_characters(_TOKEN, as_unicode(text))
        num_tokens += len(tokens)
        grams.update(zip(*(tokens[start:] for start in range(n)), strict=False))
    return len(grams) / num_tokens if num_tokens else 0.0
