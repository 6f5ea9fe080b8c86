"""Additive attention (Bahdanau, Cho & Bengio, 2015)."""

import keras
from keras import ops

from keras_lm.layers.recurrent_attention import RecurrentAttention, project_rows


@keras.saving.register_keras_serializable(package="keras_lm")
class BahdanauAttention(RecurrentAttention):
    """Additive attention: a network with one hidden layer scores each key.

    For a query `q`, keys `k_1 .. k_S` and values `x_1 .. x_S`:

        score_s = v . tanh(W q + U k_s)
        weights = softmax(score_1 .. score_S)
        context = weights_1 x_1 + .. + weights_S x_S

    In the paper's decoder the query is the state before the step, and the context goes
    into the step: call `remember` once for a source, then `step` for each query.

    `keras.layers.AdditiveAttention` leaves out `W` and `U`, so it needs queries and
    keys of one width; this layer is the paper's, with all three weights. Scoring makes
    `T x S x units` numbers; where these are over a million in a row of the batch, it
    goes through chunks of queries (unless the weights are asked for, or a length is
    unknown).

    Shapes: `B` batch, `T` query steps, `S` key steps, `Dq`, `Dk`, `Dv` widths.

    Args:
        units: int, at least 1. Width of the hidden layer, the paper's `n'`.

    Call arguments:
        query: float `(B, T, Dq)`. For example, the decoder's states.
        value: float `(B, S, Dv)`. For example, the encoder's states.
        key: float `(B, S, Dk)`. What is scored; `value` when `None`.
        query_mask: bool `(B, T)`. `False` makes the query's context 0.
        value_mask: bool `(B, S)`. `True` = a real key.
        key_mask: bool `(B, S)`. The same; both must be `True`.
        attention_mask: bool `(T, S)`, `(B, T, S)` or `(B, 1, T, S)`. `True` lets query
            `t` attend to key `s`.
        return_attention_scores: bool. Also gives the weights.
        training: bool. Changes nothing here.
        use_causal_mask: bool. Query `t` sees key `s` when `s <= t + S - T`.

    Returns:
        float `(B, T, Dv)`, the context, 0 where a query sees nothing; with
        `return_attention_scores` also the weights, float `(B, 1, T, S)`, whose rows sum
        to 1, or are 0 where nothing is visible.

    Raises:
        ValueError: `units` is below 1.

    Example:
        >>> attention = BahdanauAttention(units=16)
        >>> states = keras.random.normal((2, 7, 8))
        >>> tuple(attention(states[:, -1:], states).shape)
        (2, 1, 8)
        >>> memory = attention.remember(states)
        >>> context, weights = attention.step(states[:, -1:], memory)
        >>> tuple(context.shape), tuple(weights.shape)
        ((2, 1, 8), (2, 1, 1, 7))

    Source: https://arxiv.org/abs/1409.0473, appendix A.1.2.
    """

    def __init__(self, units, **kwargs):
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: units={units}")
        super().__init__(**kwargs)
        self.units = units
        self.query_projection = self._projection("query")
        self.key_projection = self._projection("key")

    def build(self, query_shape, value_shape, key_shape=None):
        self.query_projection.build(query_shape)
        self.key_projection.build(key_shape or value_shape)
        self.score_vector = self.add_weight(name="score_vector", shape=(self.units,))

    def get_config(self):
        return {**super().get_config(), "units": self.units}

    def project_key(self, key):
        return self.key_projection(key)

    def prepare(self, query, places, num_keys):
        return (project_rows(self.query_projection, query),)

    def score_keys(self, rows, key, place, vector):
        return additive_scores(rows[0], key, vector), None

    def numbers_per_pair(self):
        return self.units

    def _projection(self, name):
        return keras.layers.Dense(
            self.units, use_bias=False, dtype=self.dtype_policy, name=name
        )


def additive_scores(query, key, vector):
    """`v . tanh(q_t + k_s)` of all pairs.

    Args:
        query: float `(B, T, U)`.
        key: float `(B, S, U)`.
        vector: float `(U,)`, `v`.

    Returns:
        float `(B, T, S)`.
    """
    sums = ops.expand_dims(query, 2) + ops.expand_dims(key, 1)  # (B, T, S, U)
    if query.shape[1] == 1:  # see `project_rows`
        return ops.sum(ops.tanh(sums) * vector, axis=-1)
    scores = ops.matmul(ops.tanh(sums), ops.expand_dims(vector, 1))
    return ops.squeeze(scores, -1)
