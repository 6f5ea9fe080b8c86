"""Spans taken out of a text, to be written by a decoder (Raffel et al., 2019)."""

import numpy as np

from keras_lm.text.corruption_checks import check_rate


class SpanDenoising:
    """Replaces spans of a text by sentinels; the target says what each stands for.

        text:    a b c d e f g h
        source:  a b <0> e f g <1>
        target:  <0> c d <1> h

    Of `T` tokens, `rate T` are taken out, in spans of `mean_span` on average; both
    numbers are rounded up or down at random, so that they hold on average for texts of
    any length. All ways to divide the tokens into so many spans and what is between
    them are equally likely. At least one token stays: a text of one is left as it is.

    Differs from T5's code, where a text always begins with what stays and ends with a
    span. As there, what ends the target is the end token and no sentinel.

    Args:
        tokenizer: with `sentinel_ids`, as of
            `SentencePieceTokenizer.with_special_tokens(num_sentinels=..)`.
        rate: float, between 0 and 1. Default 0.15.
        mean_span: float, at least 1. Tokens.

    Call arguments:
        token_ids: int NumPy array `(T,)`, a text without special tokens.
        rng: `numpy.random.Generator`. The same one gives the same spans.

    Returns:
        `(source, target)`: int32 arrays of at most as many tokens as `widths` says.

    Raises:
        ValueError: `rate` or `mean_span` is out of range; or, in a call, the tokenizer
            has too few sentinels for so long a text.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> tokenizer = tokenizer.with_special_tokens(num_sentinels=9)
        >>> denoising = keras_lm.text.SpanDenoising(tokenizer)
        >>> token_ids = np.array(tokenizer.encode("one two" * 9))
        >>> source, target = denoising(token_ids, np.random.default_rng(seed=0))
        >>> bool(target[0] == tokenizer.sentinel_ids[0])
        True

    Source: https://arxiv.org/abs/1910.10683, section 3.1.4 and 3.3.4.
    """

    def __init__(self, tokenizer, rate: float = 0.15, mean_span: float = 3.0):
        check_rate(rate)
        if mean_span < 1:
            raise ValueError(
                f"`mean_span` must be at least 1. Received: mean_span={mean_span}"
            )
        self.tokenizer = tokenizer
        self.rate = rate
        self.mean_span = mean_span

    def __call__(self, token_ids, rng):
        length = len(token_ids)
        hidden = int(min(self.rate * length + rng.random(), max(length - 1, 0)))
        if not hidden:
            return np.array(token_ids, "int32"), np.array([], "int32")
        count = int(hidden / self.mean_span + rng.random())
        count = max(1, min(count, length - hidden + 1))
        sentinels = self._sentinels(count)
        spans = _parts(hidden, count, rng)
        between = _parts(length - hidden + 2, count + 1, rng)
        between[[0, -1]] -= 1  # nothing need stand before the first or after the last
        sizes = np.zeros(2 * count + 1, "int64")
        sizes[::2], sizes[1::2] = between, spans
        pieces = np.split(np.asarray(token_ids, "int32"), np.cumsum(sizes)[:-1])
        source, target = pieces[:1], []
        for sentinel, span, kept in zip(
            sentinels, pieces[1::2], pieces[2::2], strict=True
        ):
            source += [[sentinel], kept]
            target += [[sentinel], span]
        return tuple(
            np.concatenate(parts).astype("int32") for parts in (source, target)
        )

    def widths(self, length: int) -> tuple[int, int]:
        """The most tokens of a source and of a target of texts up to a length.

        Args:
            length: int. Tokens of the longest text.

        Returns:
            `(source, target)`, ints.

        Raises:
            ValueError: the tokenizer has too few sentinels for such a text.
        """
        hidden = int(min(self.rate * length + 1, max(length - 1, 0)))
        count = int(min(hidden / self.mean_span + 1, hidden))
        self._sentinels(count)
        return length, hidden + count

    def _sentinels(self, count):
        known = self.tokenizer.sentinel_ids
        if len(known) < count:
            raise ValueError(
                f"`tokenizer` must have {count} sentinels for so long a text: "
                f"`with_special_tokens(num_sentinels={count})` adds them. "
                f"Received: {len(known)}"
            )
        return known[:count]


def _parts(total, count, rng):
    """`count` sizes of at least 1 that sum to `total`, all ways equally likely."""
    cuts = rng.choice(total - 1, size=count - 1, replace=False) + 1
    return np.diff(np.sort(cuts), prepend=0, append=total).astype("int64")
