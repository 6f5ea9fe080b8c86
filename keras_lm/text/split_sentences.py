"""A text as its sentences."""

import re

from keras_lm.text.unicode import as_unicode

_ENDS = re.compile(r"""[.!?…]+["'”’)\]]*(?=\s)|[。！？]+["”’」』）]*|\n[ \t]*(?=\n)""")


def split_sentences(text: str | bytes) -> list[str]:
    """Cuts a text behind its sentences, by their punctuation; nothing is lost.

    A sentence ends with one of ". ! ? …" before white space, with one of "。！？", or
    before an empty line; the white space goes to the next one. (So "e.g. " ends a
    sentence too. What learns from sentences learns from these as well.)

    Args:
        text: str or UTF-8 bytes; invalid bytes become U+FFFD.

    Returns:
        list of str that joined are the text, each with more than white space, unless
        there is nothing else; `[]` for `""`.

    Raises:
        TypeError: `text` is neither str nor bytes.

    Example:
        >>> keras_lm.text.split_sentences("One. Two!  三。四")
        ['One.', ' Two!', '  三。', '四']
    """
    text = as_unicode(text)
    sentences, start = [], 0
    for end in [*(match.end() for match in _ENDS.finditer(text)), len(text)]:
        if text[start:end].strip():
            sentences.append(text[start:end])
            start = end
    if start < len(text):  # white space at the end
        sentences[-1:] = ["".join(sentences[-1:]) + text[start:]]
    return sentences
