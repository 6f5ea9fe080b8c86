"""Tokenizers of an encoder-decoder, and the sizes of their vocabularies."""

from keras_lm.text.hugging_face_tokenizer import HuggingFaceTokenizer


def check_vocabularies(model, source_tokenizer, target_tokenizer) -> None:
    """Checks that both tokenizers are ours, of the sizes that the model knows.

    Args:
        model: an encoder-decoder, with `vocabulary_size` and perhaps
            `source_vocabulary_size`.
        source_tokenizer: has `vocabulary_size`.
        target_tokenizer: the same.

    Raises:
        TypeError: a tokenizer is of a pretrained model: what it puts around texts is
            not what `text.parallel_dataset` does.
        ValueError: the sizes differ.
    """
    source_size = getattr(model, "source_vocabulary_size", None)
    for side, wanted, tokenizer in [
        ("source", source_size or model.vocabulary_size, source_tokenizer),
        ("target", model.vocabulary_size, target_tokenizer),
    ]:
        if isinstance(tokenizer, HuggingFaceTokenizer):
            raise TypeError(
                f"The {side} tokenizer must be a `text.SentencePieceTokenizer`. "
                "Received: a HuggingFaceTokenizer"
            )
        if wanted != tokenizer.vocabulary_size:
            raise ValueError(
                f"Model and {side} tokenizer must have vocabularies of one size. "
                f"Received: {wanted} and {tokenizer.vocabulary_size}"
            )
