"""Spans of unknown length blotted out of a text (Lewis et al., 2019)."""

import numpy as np

from keras_lm.text.corruption_checks import check_mask, check_rate


class TextInfilling:
    """Replaces spans of a text by one mask token each; the target is the whole text.

        text:    a b c d e f g h
        source:  a b <mask> e f <mask> g h
        target:  a b c d e f g h

    Lengths of spans are drawn from Poisson(`mean_span`) until `rate T` tokens of `T`
    are hidden, a number that is rounded up or down at random; the last span is cut to
    it. A span of no token puts a mask where nothing is missing, as the second one
    above. Where spans begin is drawn from all ways to arrange them.

    No source is longer than its text: where there would be more masks than hidden
    tokens, spans of no token are left out.

    Args:
        tokenizer: with `mask_id`, as `SentencePieceTokenizer.with_special_tokens()`.
        rate: float, between 0 and 1. BART hides 0.3.
        mean_span: float, above 0. Tokens, the paper's lambda.

    Call arguments:
        token_ids: int NumPy array `(T,)`, a text without special tokens.
        rng: `numpy.random.Generator`. The same one gives the same spans.

    Returns:
        `(source, target)`: int32 arrays of at most as many tokens as `widths` says.

    Raises:
        ValueError: `rate` or `mean_span` is out of range, or the tokenizer has no mask
            token.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> infilling = keras_lm.text.TextInfilling(tokenizer.with_special_tokens())
        >>> token_ids = np.array(tokenizer.encode("one two" * 9))
        >>> source, target = infilling(token_ids, np.random.default_rng(seed=0))
        >>> target.tolist() == token_ids.tolist(), len(source) <= len(target)
        (True, True)

    Source: https://arxiv.org/abs/1910.13461, section 2.2.
    """

    def __init__(self, tokenizer, rate: float = 0.3, mean_span: float = 3.0):
        check_rate(rate)
        if mean_span <= 0:
            raise ValueError(
                f"`mean_span` must be above 0. Received: mean_span={mean_span}"
            )
        check_mask(tokenizer)
        self.tokenizer = tokenizer
        self.rate = rate
        self.mean_span = mean_span

    def __call__(self, token_ids, rng):
        target = np.array(token_ids, "int32")
        hidden = int(self.rate * len(target) + rng.random())
        spans = self._spans(hidden, rng)
        places = rng.permutation(len(spans) + len(target) - hidden)
        is_mask = places < len(spans)  # of what is in the source
        sizes = np.ones(len(places), "int64")
        sizes[is_mask] = spans
        first = np.cumsum(sizes) - sizes  # where in the text each thing begins
        source = np.full(len(places), self.tokenizer.mask_id, "int32")
        source[~is_mask] = target[first[~is_mask]]
        return source, target

    def widths(self, length: int) -> tuple[int, int]:
        """The most tokens of a source and of a target of texts up to a length.

        Args:
            length: int. Tokens of the longest text.

        Returns:
            `(source, target)`, ints.
        """
        return length, length

    def _spans(self, hidden, rng):
        """Lengths that sum to `hidden`, at most as many."""
        spans, left = [], hidden
        while left:
            span = min(int(rng.poisson(self.mean_span)), left)
            spans.append(span)
            left -= span
        too_many = len(spans) - hidden
        for place in [i for i, span in enumerate(spans) if not span][::-1]:
            if too_many > 0:
                del spans[place]
                too_many -= 1
        return np.array(spans, "int64")
