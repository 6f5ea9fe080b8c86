"""Refuses an encoder and a tokenizer that do not fit, and lengths that do not."""

import numpy as np

from keras_lm.text import HuggingFaceTokenizer


def check_encoder(encoder, tokenizer, max_length: int | None, least: int = 2) -> int:
    """How long a text may be, where encoder and tokenizer fit together.

    Args:
        encoder: has `vocabulary_size` and `max_sequence_length`.
        tokenizer: has `vocabulary_size`.
        max_length: int, or `None` for the encoder's `max_sequence_length`.
        least: int. The least that `max_length` may be: the special tokens and one more,
            where there must be one.

    Returns:
        int, most tokens of a text.

    Raises:
        ValueError: the vocabularies differ in size, or `max_length` is no int or out
            of range.
    """
    if tokenizer.vocabulary_size != encoder.vocabulary_size:
        raise ValueError(
            "Model and tokenizer must have vocabularies of one size. Received: "
            f"{encoder.vocabulary_size} and {tokenizer.vocabulary_size}"
        )
    most = encoder.max_sequence_length
    max_length = most if max_length is None else max_length
    if not isinstance(max_length, (int, np.integer)):
        raise ValueError(
            f"`max_length` must be an int. Received: max_length={max_length!r}"
        )
    if not least <= max_length <= most:
        raise ValueError(
            f"`max_length` must be from {least} to the model's max_sequence_length="
            f"{most}. Received: max_length={max_length}"
        )
    return int(max_length)


def check_pairs(encoder, tokenizer) -> None:
    """Refuses to read pairs where nothing would tell their texts apart.

    Args:
        encoder: has `num_segments`.
        tokenizer: `text.SentencePieceTokenizer`, whose pairs have a separator always,
            or `text.HuggingFaceTokenizer`.

    Raises:
        ValueError: the encoder knows fewer than two segments, and the tokenizer puts
            nothing between.
    """
    pretrained = isinstance(tokenizer, HuggingFaceTokenizer)
    separates = not pretrained or tokenizer.separates_pairs
    if encoder.num_segments < 2 and not separates:
        raise ValueError(
            "To read pairs the encoder must know two segments, or the tokenizer "
            "put something between. Received: "
            f"num_segments={encoder.num_segments}, and a tokenizer that does not"
        )
