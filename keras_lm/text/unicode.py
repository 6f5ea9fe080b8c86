"""From anything called text to valid Unicode, and SentencePiece's space sign.

SentencePiece writes a space as U+2581 and so cannot tell the two apart. Here U+2581
is written as ESC 1 before it gets there, and ESC itself as ESC 0; afterwards the
two are written back. `GraphTokenizer` does the same with `tf.strings`.
"""

SPACE_SIGN = "\u2581"
ESCAPE = "\x1b"
ESCAPED_ESCAPE = ESCAPE + "0"
ESCAPED_SPACE_SIGN = ESCAPE + "1"
# In the order of escaping, for those who have no more of keras_lm than this list.
ESCAPES = [[ESCAPE, ESCAPED_ESCAPE], [SPACE_SIGN, ESCAPED_SPACE_SIGN]]


def as_unicode(text: str | bytes) -> str:
    """Text as valid Unicode; what is invalid becomes U+FFFD.

    Args:
        text: str or UTF-8 bytes. A lone surrogate in a str counts as the three
            invalid bytes that it would be in UTF-8.

    Returns:
        str that can be encoded as UTF-8.

    Raises:
        TypeError: `text` is neither str nor bytes.
    """
    if isinstance(text, str):
        if text.isascii():
            return text
        text = text.encode("utf-8", "surrogatepass")
    elif not isinstance(text, bytes):
        raise TypeError(
            f"a text must be str or bytes. Received: {text!r} of type "
            f"{type(text).__name__}"
        )
    return text.decode("utf-8", "replace")


def escape(text: str) -> str:
    """Text without U+2581; `unescape` gives it back."""
    text = text.replace(ESCAPE, ESCAPED_ESCAPE)
    return text.replace(SPACE_SIGN, ESCAPED_SPACE_SIGN)


def unescape(text: str) -> str:
    """The text that was given to `escape`; any other ESC stays as it is."""
    text = text.replace(ESCAPED_SPACE_SIGN, SPACE_SIGN)
    return text.replace(ESCAPED_ESCAPE, ESCAPE)
