"""Where words begin in a row of tokens."""

import unicodedata

import numpy as np

from keras_lm.text.unicode import SPACE_SIGN

# BERT's, of which each is a word.
_CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
# First bytes of characters that are mostly letters: Latin, Greek .. Thai, Hangul.
_LETTERS = frozenset([*range(0xC2, 0xE2), *range(0xEA, 0xEE)])


class WordStarts:
    """Tells which tokens begin a word, for masking words as a whole.

    A WordPiece token begins one unless it is written `##`. With SentencePiece a token
    begins one where it has the space before it (the sign U+2581), and, as texts are
    not only spaces and letters, everywhere but between two letters or digits: "(",
    a Chinese character and an emoji are words. A character that is spelled in bytes is
    one word or a part of one; what it is, is told by its first byte.

    Args:
        tokenizer: a `SentencePieceTokenizer`, or a `HuggingFaceTokenizer` of the
            WordPiece or the SentencePiece kind.

    Call arguments:
        token_ids: int NumPy array `(.., T)`.

    Returns:
        bool `(.., T)`. The first token of a row and special tokens begin one.

    Raises:
        ValueError: the tokenizer marks no words (byte-level BPE, as RoBERTa's).

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> token_ids = tokenizer.encode("one ÿ")  # " ÿ" is a space and two bytes
        >>> starts = keras_lm.text.WordStarts(tokenizer)(np.array(token_ids))
        >>> starts[-3:].tolist()
        [True, False, False]

    Source: https://github.com/google-research/bert (whole word masking).
    """

    def __init__(self, tokenizer):
        self._tables = np.array(_kinds_of(tokenizer), "bool").reshape(-1, 3).T

    def __call__(self, token_ids) -> np.ndarray:
        inside, joins, joined = self._tables[:, token_ids]  # (.., T) each
        # What follows a character in bytes follows its first byte.
        places = np.where(inside, 0, np.arange(inside.shape[-1]))
        first = np.maximum.accumulate(places, axis=-1)
        joined = np.take_along_axis(joined, first, axis=-1)
        starts = ~inside
        starts[..., 1:] &= ~(joins[..., 1:] & joined[..., :-1])
        starts[..., :1] = True
        return starts


def _kinds_of(tokenizer):
    """For each token: is it inside a character; does it join on; is it joined on."""
    if hasattr(tokenizer, "vocabulary_bytes"):
        return [_kind(piece) for piece in tokenizer.vocabulary_bytes]
    pieces, special = tokenizer.pieces(), {*tokenizer.special_ids}
    if any(piece.startswith("##") for piece in pieces):
        return [(piece.startswith("##"), False, False) for piece in pieces]
    if not any(piece.startswith(SPACE_SIGN) for piece in pieces):
        raise ValueError(
            "Whole words need a tokenizer that marks them, by `##` or by the sign "
            f"U+2581. Received: one of {len(pieces)} tokens without"
        )
    return [
        _kind(b"" if n in special else _bytes_of(piece))
        for n, piece in enumerate(pieces)
    ]


def _bytes_of(piece):
    if len(piece) == 6 and piece.startswith("<0x"):
        return bytes.fromhex(piece[3:5])
    return piece.replace(SPACE_SIGN, " ").encode("utf-8")


def _kind(piece):
    if len(piece) == 1 and piece[0] >= 0x80:  # a byte of a longer character
        is_letter = piece[0] in _LETTERS
        return piece[0] < 0xC0, is_letter, is_letter
    text = piece.decode("utf-8")
    is_joined = _is_letter(text[-1:]) or text.endswith(" ")
    return False, _is_letter(text[:1]), is_joined


def _is_letter(character):
    """Whether it can stand inside a word; not a Chinese character, which is one."""
    if not character or any(a <= ord(character) <= b for a, b in _CHINESE):
        return False
    is_mark = unicodedata.category(character).startswith("M")
    return character.isalnum() or character == "_" or is_mark
