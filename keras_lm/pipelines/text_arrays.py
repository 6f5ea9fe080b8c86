"""Texts as the arrays that an encoder reads."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text import HuggingFaceTokenizer


def text_arrays(
    tokenizer, texts: Sequence, max_length: int, truncate: bool = False
) -> dict[str, np.ndarray]:
    """Token ids of texts, padded at the end to the longest.

    A text is its tokens and the separator, or, with a pretrained tokenizer, what the
    model was trained on: for BERT `[CLS]`, its tokens, `[SEP]`.

    Shapes: `B` texts, `T` tokens of the longest.

    Args:
        tokenizer: `text.SentencePieceTokenizer` or `text.HuggingFaceTokenizer`.
        texts: str or UTF-8 bytes.
        max_length: int. Most tokens of a text, special ones included.
        truncate: bool. Whether a longer text loses its end; else it is refused.

    Returns:
        dictionary: `token_ids`, int32 `(B, T)`, and `padding_mask`, bool `(B, T)`,
        `True` = real.

    Raises:
        TypeError: a text is neither str nor bytes.
        ValueError: a text has more tokens.
    """
    rows = tokenizer.encode(list(texts))
    padding = tokenizer.padding_id or 0
    if not isinstance(tokenizer, HuggingFaceTokenizer):
        rows = [[*row, tokenizer.separator_id] for row in rows]
    if truncate:  # the last token is a special one
        rows = [[*row[:-1][: max_length - 1], *row[-1:]] for row in rows]
    lengths = np.array([len(row) for row in rows], "int64")
    if lengths.max(initial=0) > max_length:
        place = int(lengths.argmax())
        raise ValueError(
            f"A text must have at most {max_length} tokens (or `truncate=True` be given"
            f" to the pipeline). Received: {lengths[place]} in text {place}"
        )
    real = np.arange(lengths.max(initial=1)) < lengths[:, None]
    token_ids = np.full(real.shape, padding, "int32")
    for ids, row in zip(token_ids, rows, strict=True):
        ids[: len(row)] = row
    return {"token_ids": token_ids, "padding_mask": real}
