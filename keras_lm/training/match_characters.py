"""A pattern's matches in a text whose characters are whole, in small letters."""

import re
import unicodedata

# What belongs to the character before it, besides marks: joiners, colours of skin, and
# the letters of flags that are no countries'.
_JOINER = "\u200d"
_ATTACHED = re.compile("[\u200c\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_COUNTRY = re.compile("[\U0001f1e6-\U0001f1ff]")  # two are a flag


def match_characters(pattern: re.Pattern, text: str) -> list[str]:
    """Finds a pattern in a text, in small letters and composed (NFC).

    What stands on a character belongs to it: accents, vowel signs, and the parts of an
    emoji of several. The pattern sees the first of these only.

    Args:
        pattern: of `re`.
        text: str.

    Returns:
        list of str: the matches, with all that stands on their characters.

    Example:
        >>> import re
        >>> from keras_lm.training.match_characters import match_characters
        >>> match_characters(re.compile("."), "कि🇫🇷B")
        ['कि', '🇫🇷', 'b']
    """
    characters = []  # with what stands on them
    for one in unicodedata.normalize("NFC", text).lower():
        if characters and _belongs(characters[-1], one):
            characters[-1] += one
        else:
            characters.append(one)
    bases = "".join(one[0] for one in characters)
    return [
        "".join(characters[slice(*match.span())]) for match in pattern.finditer(bases)
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
