"""Vocabularies of an encoder-decoder and of its tokenizers."""


def check_vocabularies(model, source_tokenizer, target_tokenizer) -> None:
    """Checks that model and tokenizers have vocabularies of one size.

    Args:
        model: an encoder-decoder, with `vocabulary_size` and perhaps
            `source_vocabulary_size`.
        source_tokenizer: has `vocabulary_size`.
        target_tokenizer: the same.

    Raises:
        ValueError: they differ.
    """
    source_size = getattr(model, "source_vocabulary_size", None)
    for side, wanted, tokenizer in [
        ("source", source_size or model.vocabulary_size, source_tokenizer),
        ("target", model.vocabulary_size, target_tokenizer),
    ]:
        if wanted != tokenizer.vocabulary_size:
            raise ValueError(
                f"Model and {side} tokenizer must have vocabularies of one size. "
                f"Received: {wanted} and {tokenizer.vocabulary_size}"
            )
