"""Words hidden from an encoder, which is to guess them (Devlin et al., 2018)."""

import numpy as np

from keras_lm.text.corruption_checks import check_mask, check_rate
from keras_lm.text.word_starts import WordStarts


class WordMasking:
    """Chooses words at random and replaces their tokens: BERT's 80/10/10 rule.

    Each word of a text is chosen with the probability `rate`, with all its tokens: of
    `W` words, `rate W` rounded up or down at random, so that `rate` holds on average
    for texts of any length. Of the chosen tokens, `masked` become the mask token,
    `random` another token drawn from the vocabulary, and the rest stay. Special tokens
    and padding are never chosen and never drawn.

    Differs from BERT's code, which hides at least one token of every text and no word
    that is longer than its share of the text.

    Shapes: `B` texts, `T` tokens.

    Args:
        tokenizer: with `mask_id`, as `SentencePieceTokenizer.with_special_tokens()` or
            a `HuggingFaceTokenizer`.
        rate: float, between 0 and 1. Default 0.15.
        masked: float, 0 to 1. ELECTRA masks all: 1.
        random: float, 0 to 1; with `masked` at most 1.
        whole_words: bool. `False` chooses token by token.

    Call arguments:
        token_ids: int NumPy array `(B, T)`.
        rng: `numpy.random.Generator`. The same one gives the same masks.
        padding_mask: bool `(B, T)` or `None`. `True` = real.

    Returns:
        `(token_ids, chosen)`: int32 `(B, T)`, as given but where chosen; and bool
        `(B, T)`.

    Raises:
        ValueError: a fraction is out of range, the tokenizer has no mask token, or it
            marks no words.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> masking = keras_lm.text.WordMasking(tokenizer.with_special_tokens())
        >>> token_ids = np.array([tokenizer.encode("one two" * 9)])
        >>> corrupted, chosen = masking(token_ids, np.random.default_rng(seed=0))
        >>> bool((corrupted == token_ids)[~chosen].all())
        True

    Source: https://arxiv.org/abs/1810.04805, section 3.1 and appendix A.1.
    """

    def __init__(
        self,
        tokenizer,
        rate: float = 0.15,
        masked: float = 0.8,
        random: float = 0.1,
        whole_words: bool = True,
    ):
        check_rate(rate)
        if min(masked, random) < 0 or masked + random > 1:
            raise ValueError(
                "`masked` and `random` must be at least 0, together at most 1. "
                f"Received: masked={masked}, random={random}"
            )
        check_mask(tokenizer)
        self.tokenizer = tokenizer
        self.rate = rate
        self.masked = masked
        self.random = random
        self._starts = WordStarts(tokenizer) if whole_words else None
        self._special = np.zeros(tokenizer.vocabulary_size, "bool")
        self._special[list(tokenizer.special_ids)] = True
        self._ordinary = np.flatnonzero(~self._special).astype("int32")

    def __call__(self, token_ids, rng, padding_mask=None):
        words, counts = self._words(token_ids, padding_mask)
        draws = rng.random(words.shape)
        draws[np.arange(words.shape[1]) >= counts[:, None]] = 2.0  # no such word
        ranks = draws.argsort(axis=1).argsort(axis=1)
        wanted = np.floor(self.rate * counts + rng.random(len(counts)))
        is_chosen = ranks < wanted[:, None]  # (B, words)
        chosen = np.take_along_axis(is_chosen, np.maximum(words, 0), axis=1)
        chosen &= words >= 0  # (B, T)
        fate = rng.random(words.shape)
        others = rng.choice(self._ordinary, size=words.shape)
        corrupted = np.where(fate < self.masked + self.random, others, token_ids)
        corrupted = np.where(fate < self.masked, self.tokenizer.mask_id, corrupted)
        return np.where(chosen, corrupted, token_ids).astype("int32"), chosen

    def most_chosen(self, token_ids, padding_mask=None) -> int:
        """The most tokens that can ever be chosen in one of these texts.

        Args:
            token_ids: int NumPy array `(B, T)`.
            padding_mask: bool `(B, T)` or `None`. `True` = real.

        Returns:
            int.
        """
        words, counts = self._words(token_ids, padding_mask)
        most = 0
        for row, count in zip(words, counts, strict=True):
            sizes = np.sort(np.bincount(row[row >= 0], minlength=1))[::-1]
            most = max(most, int(sizes[: int(np.ceil(self.rate * count))].sum()))
        return most

    def _words(self, token_ids, padding_mask):
        """The number of each token's word, -1 for special ones, and how many words."""
        ordinary = ~self._special[token_ids]
        if padding_mask is not None:
            ordinary &= padding_mask
        starts = ordinary.copy()
        if self._starts is not None:
            before = np.pad(ordinary[:, :-1], ((0, 0), (1, 0)))
            starts &= self._starts(token_ids) | ~before
        words = np.where(ordinary, np.cumsum(starts, axis=1) - 1, -1)
        return words, starts.sum(axis=1)
