"""Texts without their special tokens, and what stands before each."""

from collections.abc import Sequence

from keras_lm.text.hugging_face_tokenizer import HuggingFaceTokenizer


def plain_rows(tokenizer, texts: Sequence) -> tuple[list[int], list[list[int]]]:
    """What begins a text that a decoder reads, and the tokens of each text.

    Args:
        tokenizer: `HuggingFaceTokenizer`, or one whose `encode` gives no special
            tokens, as `SentencePieceTokenizer`.
        texts: str or UTF-8 bytes.

    Returns:
        `(before, rows)`: the ids that a pretrained tokenizer puts before a text, as
        Llama's `<s>`, or none; and for each text a list of int, possibly empty.

    Raises:
        TypeError: a text is neither str nor bytes.
    """
    if isinstance(tokenizer, HuggingFaceTokenizer):
        return tokenizer.frame[0], tokenizer.encode_parts(texts)
    return [], tokenizer.encode(texts)
