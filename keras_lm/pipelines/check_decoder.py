"""Refuses a decoder and a tokenizer that do not fit, and lengths that do not."""

import numpy as np

from keras_lm.text.hugging_face_tokenizer import ENDS, HuggingFaceTokenizer


def check_decoder(model, tokenizer, max_new_tokens: int = 1) -> None:
    """Refuses what cannot generate together.

    Args:
        model: has `vocabulary_size`.
        tokenizer: has `vocabulary_size`; or a `HuggingFaceTokenizer`, which may have
            fewer tokens (tables are often rounded up) and must have a separator.
        max_new_tokens: int. Left out where the caller has a stricter check.

    Raises:
        ValueError: the vocabularies differ in size, no token ends a text, or
            `max_new_tokens` is below 1.
    """
    sizes = model.vocabulary_size, tokenizer.vocabulary_size
    if isinstance(tokenizer, HuggingFaceTokenizer):
        _check_pretrained(tokenizer, *sizes)
    elif sizes[0] != sizes[1]:
        raise ValueError(
            "Model and tokenizer must have vocabularies of one size. Received: "
            f"{sizes[0]} and {sizes[1]}"
        )
    if not isinstance(max_new_tokens, (int, np.integer)) or max_new_tokens < 1:
        raise ValueError(
            "`max_new_tokens` must be an int, at least 1. "
            f"Received: max_new_tokens={max_new_tokens!r}"
        )


def _check_pretrained(tokenizer, model_size, tokenizer_size):
    if tokenizer_size > model_size:
        raise ValueError(
            "The tokenizer must have no more tokens than the model. Received: "
            f"{tokenizer_size} and {model_size}"
        )
    if tokenizer.separator_id is None:
        raise ValueError(
            f"The tokenizer of a decoder must have a token that ends a text, of {ENDS}."
            f" Received: none of them among its {tokenizer_size} tokens"
        )
