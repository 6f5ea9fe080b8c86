"""Pairs of token ids to what an encoder-decoder is trained and scored on."""

import numpy as np


def teacher_forcing(sources, targets, source_tokenizer, target_tokenizer, widths=None):
    """The arrays of an encoder-decoder that is shown the true tokens before each one.

    For a source `s_1 .. s_m` and a target `t_1 .. t_n`:

        encoder_token_ids: s_1 .. s_m separator
        decoder_token_ids: separator t_1 .. t_n
        labels:            t_1 .. t_n separator

    so the decoder begins with the separator and is right to stop at it. All are padded
    on the right; the masks say what is real, and padding weighs nothing in the loss.

    Shapes: `B` pairs, `S` longest source with its separator, `T` longest target with
    its separator.

    Args:
        sources: `B` sequences of token ids, without special tokens.
        targets: `B` sequences of token ids, without special tokens.
        source_tokenizer: has `separator_id` and `padding_id`.
        target_tokenizer: has `separator_id` and `padding_id`; may be the same.
        widths: `(S, T)`, or `None` for those of the longest rows.

    Returns:
        `(inputs, labels, weights)`, NumPy: a dictionary of `encoder_token_ids`, int32
        `(B, S)`, `decoder_token_ids`, int32 `(B, T)`, and their masks,
        `encoder_padding_mask` and `decoder_padding_mask`, bool, `True` = real; int32
        `(B, T)`; and float32 `(B, T)`, 1 for a token to predict and 0 for padding.

    Raises:
        ValueError: not as many sources as targets, or a row is wider than `widths`.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two three"] * 5, 300)
        >>> inputs, labels, weights = keras_lm.text.teacher_forcing(
        ...     [[5, 6, 7]], [[8, 9]], tokenizer, tokenizer)
        >>> inputs["decoder_token_ids"].tolist(), labels.tolist()
        ([[1, 8, 9]], [[8, 9, 1]])
    """
    if len(sources) != len(targets):
        raise ValueError(
            "There must be as many sources as targets. "
            f"Received: {len(sources)} sources and {len(targets)} targets"
        )
    source_width, target_width = widths or (None, None)
    separator, padding = source_tokenizer.separator_id, source_tokenizer.padding_id
    encoder_ids, encoder_mask = _padded(sources, source_width, padding, end=separator)
    separator, padding = target_tokenizer.separator_id, target_tokenizer.padding_id
    decoder_ids, decoder_mask = _padded(targets, target_width, padding, start=separator)
    labels, _ = _padded(targets, target_width, padding, end=separator)
    inputs = {
        "encoder_token_ids": encoder_ids,
        "decoder_token_ids": decoder_ids,
        "encoder_padding_mask": encoder_mask,
        "decoder_padding_mask": decoder_mask,
    }
    return inputs, labels, decoder_mask.astype("float32")


def _padded(rows, width, padding_id, start=None, end=None):
    """Rows in one array, `start` before or `end` after each, and what of it is real."""
    lengths = np.array([len(row) + 1 for row in rows], "int64")
    longest = max(lengths, default=0)
    width = longest if width is None else width
    if longest > width:
        raise ValueError(
            f"Each row must fit `widths`, with its separator. Received: {longest} "
            f"tokens for a width of {width}"
        )
    token_ids = np.full((len(rows), width), padding_id, "int32")
    first = 0 if start is None else 1
    for i, row in enumerate(rows):
        token_ids[i, first : first + len(row)] = row
    if end is None:
        token_ids[:, 0] = start
    else:
        token_ids[np.arange(len(rows)), lengths - 1] = end
    return token_ids, np.arange(width) < lengths[:, None]
