"""Texts as rows of token ids, for objectives that read a text at a time."""

import numpy as np

from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.pad_rows import pad_rows


def text_rows(texts, tokenizer, max_tokens: int) -> list[np.ndarray]:
    """Encodes texts and cuts those that are longer into rows; nothing is lost.

    Args:
        texts: sequence of str or UTF-8 bytes. Those without a token are left out.
        tokenizer: with `encode(list of texts)`. What it puts around a text, as BERT's
            `[CLS]` and `[SEP]`, is taken off, as are mask tokens and sentinels that a
            text spells.
        max_tokens: int, at least 1. Most tokens of a row.

    Returns:
        list of int32 arrays of 1 to `max_tokens` tokens. The rows of a text are as
        even as can be, so that none is a rest of one token.

    Raises:
        TypeError: `texts` is one string, or holds something else than texts.
        ValueError: `max_tokens` is below 1, or no text has a token.
    """
    if max_tokens < 1:
        raise ValueError(
            "`sequence_length` must have room for a token beside the special ones. "
            f"Received: room for {max_tokens}"
        )
    texts = list_of_texts(texts)
    rows = []
    for tokens in own_tokens(texts, tokenizer):
        if len(tokens):
            rows += np.array_split(tokens, -(-len(tokens) // max_tokens))
    if not rows:
        raise ValueError(
            f"`texts` must hold some text. Received: {len(texts)} empty text(s)"
        )
    return rows


def own_tokens(texts, tokenizer) -> list[np.ndarray]:
    """Encodes texts, without what a tokenizer puts around them.

    Args:
        texts: list of str or UTF-8 bytes.
        tokenizer: as `text_rows` takes it.

    Returns:
        list of int32 arrays, possibly empty.

    Raises:
        TypeError: a text is neither str nor bytes.
    """
    added = [getattr(tokenizer, name, None) for name in ("class_id", "mask_id")]
    added += [tokenizer.separator_id, *getattr(tokenizer, "sentinel_ids", [])]
    return [
        np.array([token for token in row if token not in added], "int32")
        for row in tokenizer.encode(texts)
    ]


def framed(rows, tokenizer, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows in one array, with what stands around a text: `[CLS]`, or nothing; the end.

    Args:
        rows: sequences of token ids, each of fewer tokens than `width`.
        tokenizer: with `separator_id`, and with `class_id` if it has one.
        width: int.

    Returns:
        `(token_ids, padding_mask)`: int32 and bool `(B, width)`, padded at the end.
    """
    before = start_of(tokenizer)
    whole = [[*before, *row, tokenizer.separator_id] for row in rows]
    return pad_rows(whole, tokenizer.padding_id or 0, width)


def start_of(tokenizer) -> list[int]:
    """What stands before a text: `[CLS]`, or nothing.

    Args:
        tokenizer: with `class_id` if it has one.

    Returns:
        list of at most one token id.
    """
    class_id = getattr(tokenizer, "class_id", None)
    return [] if class_id is None else [class_id]
