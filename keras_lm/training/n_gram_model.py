"""Unigram and bigram language models, the baselines of every neural one."""

import numpy as np

_EM_STEPS = 50


class NGramModel:
    """A unigram or interpolated bigram model of token ids.

    With counts `c`, `N` training tokens to predict and a vocabulary of `V`:

        order 1:  p(w)     = a_0 / V + a_1 c(w) / N
        order 2:  p(w | v) = a_0 / V + a_1 c(w) / N + a_2 c(v, w) / c(v)

    The weights `a` are at least 0 and sum to 1. They are found by expectation
    maximisation on held-out tokens, different from those counted and from those
    scored. After a `v` that was never seen, `c(w) / N` takes the place of the bigram.

    Both orders score `token_ids[1:]`, each given the token before, exactly as a
    network does with `(token_ids, next_token_ids)`.

    Args:
        order: int, 1 (unigram) or 2 (bigram).
        vocabulary_size: int, at least 1, `V`.

    Raises:
        ValueError: `order` is neither 1 nor 2, or `vocabulary_size` is below 1.

    Example:
        >>> import numpy as np
        >>> token_ids = np.array([0, 1, 2] * 30)
        >>> model = NGramModel(order=2, vocabulary_size=5)
        >>> model.fit(token_ids, held_out_ids=token_ids[:30])
        >>> round(float(model.perplexity(token_ids)), 1)
        1.0

    Source: Jelinek & Mercer, 1980, Interpolated estimation of Markov source
        parameters from sparse data.
    """

    def __init__(self, order, vocabulary_size):
        if order not in (1, 2):
            raise ValueError(f"`order` must be 1 or 2. Received: order={order}")
        if vocabulary_size < 1:
            raise ValueError(
                "`vocabulary_size` must be at least 1. "
                f"Received: vocabulary_size={vocabulary_size}"
            )
        self.order = order
        self.vocabulary_size = vocabulary_size
        self.weights = None

    def fit(self, token_ids, held_out_ids):
        """Counts tokens, then tunes the weights on others.

        Args:
            token_ids: int `(N + 1,)`. What is counted.
            held_out_ids: int `(M + 1,)`. What the weights are tuned on.

        Raises:
            ValueError: fewer than 2 tokens, or one that is out of range.
        """
        token_ids = self._checked(token_ids)
        held_out_ids = self._checked(held_out_ids)
        self._unigram = self._frequencies(token_ids[1:])
        self._contexts = np.bincount(token_ids[:-1], minlength=self.vocabulary_size)
        self._pairs, self._pair_counts = np.unique(
            self._pair_numbers(token_ids[:-1], token_ids[1:]), return_counts=True
        )
        parts = self._parts(held_out_ids[:-1], held_out_ids[1:])
        self.weights = _tune(parts)

    def probabilities(self, context_ids, next_ids):
        """The probability of each next token after its context token.

        Args:
            context_ids: int `(M,)`, `v`. Ignored by a unigram model.
            next_ids: int `(M,)`, `w`.

        Returns:
            float64 `(M,)`, above 0; over the whole vocabulary they sum to 1.

        Raises:
            ValueError: the model is not fitted.
        """
        if self.weights is None:
            raise ValueError("`fit` must come first. Received: a model without counts")
        return self._parts(np.asarray(context_ids), np.asarray(next_ids)) @ self.weights

    def perplexity(self, token_ids):
        """`exp` of the mean negative log-probability, per token.

        Args:
            token_ids: int `(M + 1,)`. The first is context only.

        Returns:
            float, at least 1.

        Raises:
            ValueError: the model is not fitted, there are fewer than 2 tokens, or
                one is out of range.
        """
        token_ids = self._checked(token_ids)
        likelihoods = self.probabilities(token_ids[:-1], token_ids[1:])
        return float(np.exp(-np.mean(np.log(likelihoods))))

    def _parts(self, context_ids, next_ids):
        """What the weights weigh: `(M, order + 1)`, each column a distribution."""
        uniform = np.full(len(next_ids), 1.0 / self.vocabulary_size)
        unigram = self._unigram[next_ids]
        if self.order == 1:
            return np.stack([uniform, unigram], axis=1)
        numbers = self._pair_numbers(context_ids, next_ids)
        places = np.searchsorted(self._pairs, numbers)
        places = np.minimum(places, len(self._pairs) - 1)
        counts = self._pair_counts[places] * (self._pairs[places] == numbers)
        seen = self._contexts[context_ids]
        bigram = np.where(seen > 0, counts / np.maximum(seen, 1), unigram)
        return np.stack([uniform, unigram, bigram], axis=1)

    def _frequencies(self, token_ids):
        counts = np.bincount(token_ids, minlength=self.vocabulary_size)
        return counts / len(token_ids)

    def _pair_numbers(self, context_ids, next_ids):
        return context_ids.astype("int64") * self.vocabulary_size + next_ids

    def _checked(self, token_ids):
        token_ids = np.asarray(token_ids)
        if token_ids.ndim != 1 or len(token_ids) < 2:
            raise ValueError(
                "an n-gram model takes one row of at least 2 token ids. "
                f"Received: shape {token_ids.shape}"
            )
        if token_ids.min() < 0 or token_ids.max() >= self.vocabulary_size:
            raise ValueError(
                f"a token id must be at least 0 and below {self.vocabulary_size}. "
                f"Received: {token_ids.min()} to {token_ids.max()}"
            )
        return token_ids


def _tune(parts):
    """Weights that make `parts (M, k)` likely, by expectation maximisation: `(k,)`.

    A trace of the uniform distribution always stays, so that no probability is 0.
    """
    weights = np.full(parts.shape[1], 1.0 / parts.shape[1])
    for _ in range(_EM_STEPS):
        shares = parts * weights
        weights = np.mean(shares / shares.sum(axis=1, keepdims=True), axis=0)
    weights = np.maximum(weights, [1e-6] + [0.0] * (len(weights) - 1))
    return weights / weights.sum()
