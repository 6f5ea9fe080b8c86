"""Refuses a decoder and a tokenizer that do not fit, and lengths that do not."""

import numpy as np


def check_decoder(model, tokenizer, max_new_tokens: int = 1) -> None:
    """Refuses what cannot generate together.

    Args:
        model: has `vocabulary_size`.
        tokenizer: has `vocabulary_size`.
        max_new_tokens: int. Left out where the caller has a stricter check.

    Raises:
        ValueError: the vocabularies differ in size, or `max_new_tokens` is below 1.
    """
    if model.vocabulary_size != tokenizer.vocabulary_size:
        raise ValueError(
            "Model and tokenizer must have vocabularies of one size. Received: "
            f"{model.vocabulary_size} and {tokenizer.vocabulary_size}"
        )
    if not isinstance(max_new_tokens, (int, np.integer)) or max_new_tokens < 1:
        raise ValueError(
            "`max_new_tokens` must be an int, at least 1. "
            f"Received: max_new_tokens={max_new_tokens!r}"
        )
