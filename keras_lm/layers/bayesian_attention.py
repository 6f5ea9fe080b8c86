"""Attention whose weights are random variables (Fan et al., 2020)."""

import math

import keras
from keras import ops

from keras_lm.layers.attention import Attention
from keras_lm.layers.dot_product_attention import (
    attention_scores,
    dot_product_attention,
    weighted_values,
)
from keras_lm.layers.gaussian_kl import gaussian_kl
from keras_lm.layers.masks import mask_scores, masked_softmax

NOISES = ("key", "pair")
PRIORS = ("contextual", "standard")
KLS = ("weights", "offset")


@keras.saving.register_keras_serializable(package="keras_lm")
class BayesianAttention(Attention):
    """Draws the log-weight of each key from a normal distribution that it has learned.

    For each head, with `s_ts = q_t . k_s / sqrt(D)` and `eps ~ N(0, 1)`:

        l_ts    = log softmax_s(s_ts)
        sigma_s = softplus(b + k_s . w)                        (for "pair": + q_t . u)
        z_ts    = l_ts - sigma_s^2 / 2 + sigma_s eps_s         so that E[exp z] = exp l
        weights = softmax_s(z_ts)

    In training one sample is drawn a step, and `kl_weight` times the mean over visible
    pairs of `KL(N(l - sigma^2 / 2, sigma^2) || N(m, prior_std^2))` is added to the
    loss, with the prior `m_ts = log softmax_s(W_2 relu(W_1 k_s))`, or `-log n_t` for
    `prior="standard"`, where query `t` sees `n_t` keys. For `noise="key"`, where all
    queries share the noise of a key, this is a mean of marginal divergences, not the
    joint one: a regulariser.

    At inference nothing is random: it is `MultiHeadAttention` with the same weights, in
    `call` as in `step`. With the attribute `stochastic` set to `True`, `call` draws
    there too; what is compiled keeps the choice it was compiled with.
    `training.predict_mc` does this for a whole model and puts everything back. (A
    variable as the switch would spare a compilation, but leave random numbers in every
    exported graph.)

    Differs from the paper in that `sigma` is learned, and that by default each key has
    one random number, not each pair: the row constant of `l` cancels in the softmax, so
    the noise is one more channel of the keys, and the fused kernel is used as ever.

    Shapes: `B` batch, `H` heads, `T` query steps, `S` key steps, `D` width of a head,
    `E` widths of query, key and value.

    Args:
        num_heads: int, at least 1, `H`.
        key_dim: int, at least 1, `D`.
        noise: "key" (one random number for each key of a head) or "pair" (one for each
            query and key: `T x S` numbers, and no fused kernel while they are drawn).
        kl_weight: float, at least 0. A variable of the layer, so that it can change
            without compiling again (`training.AnnealKL`).
        prior_std: float, above 0. Standard deviation of the prior.
        initial_std: float, above 0. `sigma` before training.
        prior: "contextual" (computed from the keys) or "standard".
        prior_hidden: int, at least 1. Rows of `W_1`.
        kl: "weights" (as above: memory grows with `T S`, in training only) or "offset":
            of `c_s = -sigma_s^2 / 2 + sigma_s eps_s` alone, around the prior
            `m_s = W_2 relu(W_1 k_s)` or 0. With "key" noise and no dropout, training is
            then linear in memory.
        **kwargs: of `Attention`, such as `num_key_value_heads` or `dropout`.

    Call arguments:
        query: float `(B, T, E)`; and all others of `MultiHeadAttention`. Queries that
            `query_mask` hides still enter the divergence; keys that are hidden do not.

    Returns:
        float `(B, T, output_dim)`; with `return_attention_scores` also the weights,
        float `(B, H, T, S)`, whose rows sum to 1, or are 0 where nothing is visible.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> attention = BayesianAttention(num_heads=4, key_dim=8)
        >>> hidden = keras.random.normal((2, 5, 32))
        >>> tuple(attention(hidden, training=True).shape), len(attention.losses)
        ((2, 5, 32), 1)

    Source: https://arxiv.org/abs/2010.10604, section 3;
        https://arxiv.org/abs/1812.11559 (variational self-attention).
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        noise="key",
        kl_weight=0.1,
        prior_std=2.0,
        initial_std=1.0,
        prior="contextual",
        prior_hidden=16,
        kl="weights",
        **kwargs,
    ):
        _check_choice("noise", noise, NOISES)
        _check_choice("prior", prior, PRIORS)
        _check_choice("kl", kl, KLS)
        _check_range("kl_weight", kl_weight, kl_weight >= 0, "at least 0")
        _check_range("prior_std", prior_std, prior_std > 0, "above 0")
        _check_range("initial_std", initial_std, initial_std > 0, "above 0")
        _check_range("prior_hidden", prior_hidden, prior_hidden >= 1, "at least 1")
        super().__init__(num_heads, key_dim, **kwargs)
        self.noise = noise
        self.full_kl_weight = kl_weight
        self.prior_std = prior_std
        self.initial_std = initial_std
        self.prior = prior
        self.prior_hidden = prior_hidden
        self.kl = kl
        self.stochastic = False
        # The dropout has `seed` itself: equal seeds would give related numbers.
        self.seed_generator = keras.random.SeedGenerator(
            None if self.seed is None else self.seed + 7919
        )

    def build(self, query_shape, value_shape=None, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        self.kl_weight = self._number("kl_weight", (), self.full_kl_weight, False)
        shape = (self.num_key_value_heads, self.key_dim)
        # softplus(first) = initial_std
        first = self.initial_std + math.log(-math.expm1(-self.initial_std))
        self.std_bias = self._number("std_bias", shape[:1], first)
        self.std_kernel = self._number("std_kernel", shape, 0.0)
        if self.noise == "pair":
            shape = (self.num_heads, self.key_dim)
            self.query_std_kernel = self._number("query_std_kernel", shape, 0.0)
        if self.prior == "contextual":
            self.prior_inner = keras.layers.Dense(
                self.prior_hidden, "relu", dtype="float32", name="prior_inner"
            )
            self.prior_output = keras.layers.Dense(
                1, use_bias=False, dtype="float32", name="prior_output"
            )
            self.prior_inner.build((None, None, None, self.key_dim))
            self.prior_output.build((None, None, None, self.prior_hidden))

    def attend(self, query, key, value, visibility, training):
        is_random = training or self.stochastic
        whole = training and (self.kl == "weights" or self.dropout > 0)
        if whole or (is_random and self.noise == "pair"):
            return self.weigh(query, key, value, visibility, training)[0]
        scale = 1.0 / math.sqrt(self.key_dim)
        if is_random:
            std = self._std(query, key)  # (B, K, 1, S)
            if training:
                self._add_kl(std, key, visibility, query)
            offset = ops.transpose(self._offset(std), (0, 1, 3, 2)) / scale
            key = ops.concatenate([key, ops.cast(offset, key.dtype)], axis=-1)
            query = ops.concatenate([query, ops.ones_like(query[..., :1])], axis=-1)
        return dot_product_attention(query, key, value, visibility, scale)

    def weigh(self, query, key, value, visibility, training):
        mask = visibility.mask(ops.shape(query)[2], ops.shape(key)[2])
        scores = ops.cast(attention_scores(query, key), "float32")
        if training or self.stochastic:
            std = self._std(query, key)
            if training:
                self._add_kl(std, key, visibility, query, scores, mask)
            scores = scores + self._per_query_head(self._offset(std))
        weights = ops.cast(masked_softmax(scores, mask), query.dtype)
        dropped = self.dropout_layer(weights, training=training)
        return weighted_values(dropped, value), weights

    def get_config(self):
        return {
            **super().get_config(),
            "noise": self.noise,
            "kl_weight": self.full_kl_weight,
            "prior_std": self.prior_std,
            "initial_std": self.initial_std,
            "prior": self.prior,
            "prior_hidden": self.prior_hidden,
            "kl": self.kl,
        }

    def _std(self, query, key):
        """`sigma`, float32, `(B, K, 1, S)`; `(B, H, T, S)` for noise of pairs."""
        kernel = ops.expand_dims(self.std_kernel, 1)  # (K, 1, D)
        logit = ops.sum(ops.cast(key, "float32") * kernel, axis=-1)
        logit = ops.expand_dims(logit + ops.expand_dims(self.std_bias, 1), 2)
        if self.noise == "pair":
            kernel = ops.expand_dims(self.query_std_kernel, 1)  # (H, 1, D)
            rows = ops.sum(ops.cast(query, "float32") * kernel, axis=-1)
            logit = self._per_query_head(logit) + ops.expand_dims(rows, -1)
        return ops.softplus(logit)

    def _offset(self, std):
        """One draw of `-sigma^2 / 2 + sigma eps`, float32, of the shape of `std`."""
        eps = keras.random.normal(
            ops.shape(std), dtype="float32", seed=self.seed_generator
        )
        return std * eps - ops.square(std) / 2

    def _add_kl(self, std, key, visibility, query, scores=None, mask=None):
        """Adds the mean divergence over the visible pairs to the losses."""
        num_queries, num_keys = ops.shape(query)[2], ops.shape(key)[2]
        std = self._per_query_head(std)
        mean = -ops.square(std) / 2
        prior_mean = 0.0
        if self.prior == "contextual":
            logits = self.prior_output(self.prior_inner(key))  # (B, K, S, 1)
            prior_mean = self._per_query_head(ops.transpose(logits, (0, 1, 3, 2)))
        if self.kl == "weights":
            mean = mean + ops.log_softmax(mask_scores(scores, mask), axis=-1)
            if self.prior == "contextual":
                prior_mean = ops.log_softmax(mask_scores(prior_mean, mask), axis=-1)
            else:
                seen = visibility.num_visible(num_queries, num_keys)
                prior_mean = -ops.expand_dims(ops.log(ops.maximum(seen, 1.0)), -1)
        divergence = gaussian_kl(mean, std, prior_mean, self.prior_std)
        if self.kl == "offset" and self.noise == "key":
            # The same for all queries that see the key: (B, H, 1, S).
            count = visibility.num_seeing(num_queries, num_keys)
        else:
            count = 1.0 if mask is None else ops.cast(mask, "float32")
        count = count * ops.ones_like(divergence)
        total = ops.sum(ops.where(count > 0, divergence, 0.0) * count)
        mean_kl = total / ops.maximum(ops.sum(count), 1.0)
        self.add_loss(self.kl_weight * mean_kl)

    def _per_query_head(self, array):
        """`(B, K, ..)` as `(B, H, ..)`: each head of keys for its group of queries."""
        group = self.num_heads // self.num_key_value_heads
        if group == 1 or array.shape[1] == self.num_heads:
            return array
        return ops.repeat(array, group, axis=1)

    def _number(self, name, shape, first, trainable=True):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=keras.initializers.Constant(first),
            trainable=trainable,
            dtype="float32",
            autocast=False,
        )


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {list(choices)}. Received: {name}={value!r}"
        )


def _check_range(name, value, holds, wanted):
    if not holds:
        raise ValueError(f"`{name}` must be {wanted}. Received: {name}={value}")
