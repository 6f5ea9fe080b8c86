"""Texts as rows, of which words are hidden anew each time."""

import numpy as np

from keras_lm.text.text_rows import framed, start_of, text_rows


class MaskedRows:
    """Encodes texts once; called, it hides words of some rows.

    Shapes: `B` rows, `T` `sequence_length`, `P` the most tokens that are ever hidden in
    one of the rows.

    Args:
        texts: sequence of str or UTF-8 bytes.
        masking: `WordMasking`; its tokenizer is used.
        sequence_length: int. Tokens of a row, special ones included.

    Call arguments:
        rng: `numpy.random.Generator`.
        rows: int NumPy array `(B,)`: which.

    Returns:
        `(inputs, labels, weights)` as `masked_dataset` gives them.

    Raises:
        TypeError: `texts` is one string, or holds something else than texts.
        ValueError: the texts are empty, or there is no room for a token.
    """

    def __init__(self, texts, masking, sequence_length: int):
        tokenizer = masking.tokenizer
        room = sequence_length - len(start_of(tokenizer)) - 1
        rows = text_rows(texts, tokenizer, room)
        self.masking = masking
        self.token_ids, self.padding_mask = framed(rows, tokenizer, sequence_length)
        self.most_chosen = masking.most_chosen(self.token_ids, self.padding_mask)

    def __len__(self):
        return len(self.token_ids)

    def __call__(self, rng, rows):
        original, real = self.token_ids[rows], self.padding_mask[rows]
        hidden, *answers = hide_words(
            original, real, self.masking, rng, self.most_chosen
        )
        return {"token_ids": original, "padding_mask": real, **hidden}, *answers


def hide_words(token_ids, padding_mask, masking, rng, most):
    """Hides words of texts, `most` tokens of each at most; the last that are more stay.

    Shapes: `B` texts, `T` tokens, `P` `most`.

    Args:
        token_ids: int32 `(B, T)`.
        padding_mask: bool `(B, T)`. `True` = real.
        masking: `WordMasking`.
        rng: `numpy.random.Generator`.
        most: int.

    Returns:
        `(inputs, labels, weights)`: a dictionary of `token_ids`, int32 `(B, T)`, and
        `masked_positions`, int32 `(B, P)`; int32 `(B, P)`, the tokens that were there;
        and float32 `(B, P)`, 1 for a hidden token and 0 for none.
    """
    corrupted, chosen = masking(token_ids, rng, padding_mask)
    chosen &= np.cumsum(chosen, axis=1) <= most
    corrupted = np.where(chosen, corrupted, token_ids)
    first = np.argsort(~chosen, axis=1, kind="stable")[:, :most]
    weights = np.take_along_axis(chosen, first, axis=1)  # (B, P)
    positions = np.where(weights, first, 0).astype("int32")
    inputs = {"token_ids": corrupted, "masked_positions": positions}
    labels = np.take_along_axis(token_ids, positions, axis=1)
    return inputs, labels, weights.astype("float32")
