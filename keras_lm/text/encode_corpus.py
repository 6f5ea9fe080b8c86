"""A corpus as one row of token ids."""

import numpy as np

from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.plain_rows import plain_rows


def encode_corpus(texts, tokenizer):
    """Encodes texts into one row, with a separator around each.

    `separator, first text, separator, second text, ..., separator`: every token of
    every text has a token before it from which it can be predicted, and every end of
    a text is a token to predict. What a pretrained tokenizer puts before a text, as
    Llama's `<s>`, is there too. Texts that are empty are left out.

    Args:
        texts: sequence of str or UTF-8 bytes.
        tokenizer: with `encode(list of texts)` and `separator_id`, or a
            `HuggingFaceTokenizer`.

    Returns:
        int32 NumPy array `(N,)`.

    Raises:
        TypeError: `texts` is one string, or holds something else than texts.
        ValueError: there is no text, or all are empty.

    Example:
        >>> from keras_lm import text
        >>> tokenizer = text.train_tokenizer(["one two three"] * 5, 300)
        >>> token_ids = text.encode_corpus(["one", "two"], tokenizer)
        >>> (token_ids == tokenizer.separator_id).nonzero()[0].size
        3
    """
    texts = list_of_texts(texts)
    separator = np.array([tokenizer.separator_id], "int32")
    before, rows = plain_rows(tokenizer, texts)
    parts = [separator]
    for token_ids in rows:
        if token_ids:
            parts += [np.asarray([*before, *token_ids], "int32"), separator]
    if len(parts) == 1:
        raise ValueError(
            f"`texts` must hold some text. Received: {len(texts)} empty text(s)"
        )
    return np.concatenate(parts)
