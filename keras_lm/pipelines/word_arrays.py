"""Sentences of words as the arrays that a tagger reads."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.encode_words import encode_words, first_tokens, marks_of
from keras_lm.text.pad_rows import pad_rows


def word_arrays(
    tokenizer,
    sentences: Sequence[Sequence[str]],
    predicates: Sequence[int] | None,
    split: str,
    max_length: int,
    truncate: bool = False,
) -> tuple[dict[str, np.ndarray], list[list[int]]]:
    """Token ids of sentences, padded at the end, and where each word begins.

    Shapes: `B` sentences, `T` tokens of the longest.

    Args:
        tokenizer: `text.SentencePieceTokenizer` or `text.HuggingFaceTokenizer`.
        sentences: lists of str.
        predicates: for each the place of the word that is marked, or `None`.
        split: "words" or "characters", see `text.encode_words`.
        max_length: int. Most tokens of a sentence, special ones included.
        truncate: bool. Whether a longer sentence loses its end; else it is refused.

    Returns:
        `(arrays, firsts)`: a dictionary of `token_ids`, int32 `(B, T)`, `padding_mask`,
        bool `(B, T)`, and, with predicates, `marks`, int32 `(B, T)`; and for each
        sentence the places of the first tokens of the words that were not cut off.

    Raises:
        TypeError: a predicate is no int.
        ValueError: a sentence has more tokens, or there is not a predicate in each.
    """
    rows, places = encode_words(tokenizer, sentences, split, max_length, truncate)
    token_ids, real = pad_rows(rows, tokenizer.padding_id or 0)
    arrays = {"token_ids": token_ids, "padding_mask": real}
    if predicates is not None:
        arrays["marks"], _ = pad_rows(marks_of(places, predicates, sentences), 0)
    return arrays, [first_tokens(row) for row in places]
