"""Texts in which one word is marked, as token ids and where the word is."""

from collections.abc import Sequence

from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.encode_words import frame_of
from keras_lm.text.hugging_face_tokenizer import HuggingFaceTokenizer
from keras_lm.text.unicode import as_unicode

MARKS = "[[", "]]"


def split_marked(text: str | bytes) -> tuple[str, str, str]:
    """What stands before the marked word, the word, and what stands behind it.

    Args:
        text: str or UTF-8 bytes: the word is between the first `[[` and the first `]]`
            behind that. Invalid bytes become U+FFFD.

    Returns:
        `(before, word, behind)`.

    Raises:
        TypeError: `text` is neither str nor bytes.
        ValueError: no word is marked.

    Example:
        >>> split_marked("the [[bank]] of a river")
        ('the ', 'bank', ' of a river')
    """
    whole = as_unicode(text)
    before, _, rest = whole.partition(MARKS[0])
    word, _, behind = rest.partition(MARKS[1])
    if not is_marked(whole):
        raise ValueError(
            f"A text must have a word between {MARKS[0]} and {MARKS[1]}. "
            f"Received: {whole!r:.80}"
        )
    return before, word, behind


def is_marked(text: str | bytes) -> bool:
    """Whether a word of a text is marked.

    Args:
        text: str or UTF-8 bytes.

    Returns:
        bool.

    Raises:
        TypeError: `text` is neither str nor bytes.
    """
    _, _, rest = as_unicode(text).partition(MARKS[0])
    word, closed, _ = rest.partition(MARKS[1])
    return bool(closed and word.strip())


def encode_marked(
    tokenizer,
    texts: Sequence,
    max_length: int | None = None,
    truncate: bool = False,
    numbers: Sequence[int] | None = None,
) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Token ids of each text without its marks, and which tokens are the word's.

    The three parts of a text are encoded alone, and stand between the special tokens
    that a text has, so that no token is of the word and of something else. The space
    before the word, one " ", goes with the word, as in a text: byte-level BPE and
    SentencePiece know " bank". XLM-R's tokenizer puts a space before all that it
    encodes, so a word without one gets other tokens than in its text: the one in
    "我在[[银行]]", and what follows the one in "[[bank]]s".

    Args:
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        texts: str or UTF-8 bytes, in each a word between `[[` and `]]`.
        max_length: int or `None`. Most tokens of a text, special ones included.
        truncate: bool. Whether a longer text loses what is farthest from the word, in
            tokens; else it is refused.
        numbers: int for each text: what it is called in errors; its place when `None`.

    Returns:
        `(rows, words)`: for each text a list of int; the places of the word's first
        token, and of the one behind its last.

    Raises:
        TypeError: a text is neither str nor bytes.
        ValueError: no word is marked, it has no token, or a text or its word has too
            many.
    """
    if max_length is not None:
        check_at_least(1, max_length=max_length)
    start, end = frame_of(tokenizer)
    special = len(start) + len(end)
    parts = [part for text in texts for part in _spaced(*split_marked(text))]
    plain = isinstance(tokenizer, HuggingFaceTokenizer)
    encoded = tokenizer.encode_parts(parts) if plain else tokenizer.encode(parts)
    rows, words = [], []
    for number in range(len(encoded) // 3) if numbers is None else numbers:
        place = 3 * len(rows)
        before, word, behind = encoded[place : place + 3]
        if not word:
            raise ValueError(
                "A marked word must have a token. "
                f"Received: none, of {parts[place + 1]!r} in text {number}"
            )
        if max_length is not None:
            room = max_length - special - len(word)
            needed = len(before) + len(behind)
            if room < (0 if truncate else needed):
                raise ValueError(
                    f"A text must have at most {max_length} tokens (or `truncate` be "
                    f"true, and the marked word fit). Received: "
                    f"{special + needed + len(word)}, {len(word)} of them the word's, "
                    f"in text {number}"
                )
            first, last = kept_around(len(before), len(behind), room)
            before, behind = before[len(before) - first :], behind[:last]
        first = len(start) + len(before)
        rows.append([*start, *before, *word, *behind, *end])
        words.append((first, first + len(word)))
    return rows, words


def kept_around(before: int, behind: int, room: int) -> tuple[int, int]:
    """How many tokens are kept on each side of a word.

    Args:
        before: int. How many there are.
        behind: int.
        room: int. For both.

    Returns:
        `(before, behind)`: the nearest; half of the room each, and what one side does
        not need the other one gets.
    """
    first = min(before, max(room // 2, room - behind))
    return first, min(behind, room - first)


def _spaced(before, word, behind):
    """The parts of a text, the space before the word in front of it."""
    if before.endswith(" "):
        return before[:-1], f" {word}", behind
    return before, word, behind
