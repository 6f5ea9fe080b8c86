"""Texts as the arrays that an encoder reads."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.encode_texts import encode_texts
from keras_lm.text.pad_rows import pad_rows


def text_arrays(
    tokenizer,
    texts: Sequence,
    max_length: int,
    truncate: bool = False,
    pairs: bool = False,
) -> dict[str, np.ndarray]:
    """Token ids of texts or pairs, padded at the end to the longest.

    What a text and a pair consist of, special tokens included, `encode_texts` says.

    Shapes: `B` texts, `T` tokens of the longest.

    Args:
        tokenizer: `text.SentencePieceTokenizer` or `text.HuggingFaceTokenizer`.
        texts: str or UTF-8 bytes, or tuples or lists of two.
        max_length: int. Most tokens of a text or pair, special ones included.
        truncate: bool. Whether a longer text loses its end, of a pair the longer one
            first; else it is refused.
        pairs: bool. Whether `texts` are pairs.

    Returns:
        dictionary: `token_ids`, int32 `(B, T)`, `padding_mask`, bool `(B, T)`, `True` =
        real, and of pairs `segment_ids`, int32 `(B, T)`.

    Raises:
        TypeError: a text is neither str nor bytes, or a pair is none.
        ValueError: a text has more tokens.
    """
    rows, segments = encode_texts(tokenizer, texts, max_length, truncate, pairs)
    token_ids, real = pad_rows(rows, tokenizer.padding_id or 0)
    arrays = {"token_ids": token_ids, "padding_mask": real}
    if pairs:
        arrays["segment_ids"], _ = pad_rows(segments, 0)
    return arrays
