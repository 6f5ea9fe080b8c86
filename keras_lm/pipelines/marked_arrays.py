"""Marked words, and whole texts, as the arrays that an encoder reads."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.encode_texts import encode_texts
from keras_lm.text.marked_texts import encode_marked, is_marked
from keras_lm.text.pad_rows import pad_rows


def marked_arrays(
    tokenizer,
    texts: Sequence,
    max_length: int,
    truncate: bool = False,
    has_marks: bool = True,
) -> dict[str, np.ndarray]:
    """Token ids of texts, padded at the end, and which tokens a text's vector is of.

    Shapes: `B` texts, `T` tokens of the longest.

    Args:
        tokenizer: `text.SentencePieceTokenizer` or `text.HuggingFaceTokenizer`.
        texts: str or UTF-8 bytes. Of a text with a word between `[[` and `]]` the
            vector is the word's, of another one that of all tokens.
        max_length: int. Most tokens of a text, special ones included.
        truncate: bool. Whether a longer text loses what is farthest from the word, or
            its end; else it is refused.
        has_marks: bool. `False` takes `[[` and `]]` for text, as in a gloss.

    Returns:
        dictionary: `token_ids`, int32 `(B, T)`, `padding_mask` and `pooling_mask`, bool
        `(B, T)`.

    Raises:
        TypeError: a text is neither str nor bytes.
        ValueError: a text, or a word, has too many tokens.
    """
    texts = list(texts)
    marked = [n for n, text in enumerate(texts) if has_marks and is_marked(text)]
    whole = sorted(set(range(len(texts))) - set(marked))
    rows: list = [None] * len(texts)
    spans = np.zeros((len(texts), 2), "int64")
    given, limits = [texts[n] for n in marked], (max_length, truncate)
    found = encode_marked(tokenizer, given, *limits, numbers=marked)
    for place, row, span in zip(marked, *found, strict=True):
        rows[place], spans[place] = row, span
    given = [texts[n] for n in whole]
    found, _ = encode_texts(tokenizer, given, *limits, numbers=whole)
    for place, row in zip(whole, found, strict=True):
        rows[place], spans[place] = row, (0, len(row))
    token_ids, real = pad_rows(rows, tokenizer.padding_id or 0)
    places = np.arange(token_ids.shape[1])
    inside = (places >= spans[:, :1]) & (places < spans[:, 1:])
    return {"token_ids": token_ids, "padding_mask": real, "pooling_mask": inside}
