"""Multiplicative attention, global and local (Luong, Pham & Manning, 2015)."""

import keras
from keras import ops

from keras_lm.layers.bahdanau_attention import additive_scores
from keras_lm.layers.recurrent_attention import RecurrentAttention, project_rows

SCORES = ("general", "dot", "concat")
LOCALS = (None, "monotonic", "predictive")


@keras.saving.register_keras_serializable(package="keras_lm")
class LuongAttention(RecurrentAttention):
    """Multiplicative attention: products of queries and keys; global, or in a window.

    For a query `h` (the decoder's state), keys `k_s` and values `x_s`:

        score_s = h . W k_s                      "general"
        score_s = h . k_s                        "dot"
        score_s = v . tanh(W h + U k_s)          "concat"
        weights = softmax(score_1 .. score_S)
        context = weights_1 x_1 + .. + weights_S x_S

    Local attention sees only the keys with `|s - p| <= window` about a place `p`:

        p = t                                    "monotonic"
        p = S sigmoid(v_p . tanh(W_p h))         "predictive"

    where `t` and `s` count the real queries and keys of a row from 1 on, and `S` is the
    number of real keys (up to the query, when causal: then `t` is the place of the key
    that stands where the query does). The predictive one also multiplies the weights by
    `exp(-(s - p)^2 / (2 (window / 2)^2))`, so that `p` learns.

    Differs from the paper, where weights under this Gaussian no longer sum to 1: here
    they are normalised again, so that they are weights like all others.

    With `output_dim` the output is not the context `c` but the attentional state
    `tanh(W_c [c; h])`, from which the paper's decoder predicts, and which it feeds back
    into its next step (input feeding): call `remember` once for a source, then `step`.

    Shapes: `B` batch, `T` query steps, `S` key steps, `Dq`, `Dk`, `Dv` widths.

    Args:
        units: int, at least 1. Width of the hidden layers of "concat" and "predictive";
            the query's width when `None`.
        score: "general", "dot" (queries and keys of one width) or "concat".
        local: `None` (global), "monotonic" or "predictive".
        window: int, at least 1, the paper's `D`. How far local attention sees to each
            side: `2 D + 1` keys.
        output_dim: int. Width of the attentional state; `None` gives the context.

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
        float `(B, T, Dv)`, the context, 0 where a query sees nothing; or
        `(B, T, output_dim)`. With `return_attention_scores` also the weights, float
        `(B, 1, T, S)`, whose rows sum to 1, or are 0 where nothing is visible.

    Raises:
        ValueError: `units`, `window` or `output_dim` is below 1, `score` or `local` is
            unknown, "dot" meets queries and keys of different widths, or `step` of
            "monotonic" is not told `position_ids`.

    Example:
        >>> attention = LuongAttention(local="predictive", window=3, output_dim=16)
        >>> states = keras.random.normal((2, 7, 8))
        >>> tuple(attention(states[:, -1:], states).shape)
        (2, 1, 16)

    Source: https://arxiv.org/abs/1508.04025, sections 3.1 to 3.3.
    """

    def __init__(
        self,
        units=None,
        score="general",
        local=None,
        window=10,
        output_dim=None,
        **kwargs,
    ):
        sizes = {"units": units, "window": window, "output_dim": output_dim}
        for name, size in sizes.items():
            if size is not None and size < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={size}"
                )
        for name, choice, known in (("score", score, SCORES), ("local", local, LOCALS)):
            if choice not in known:
                raise ValueError(
                    f"`{name}` must be one of {list(known)}. "
                    f"Received: {name}={choice!r}"
                )
        super().__init__(**kwargs)
        self.units = units
        self.score = score
        self.local = local
        self.window = window
        self.output_dim = output_dim

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = key_shape or value_shape
        width = query_shape[-1]
        self.hidden_dim = self.units or width
        if self.score == "dot" and key_shape[-1] != width:
            raise ValueError(
                '`score="dot"` needs queries and keys of one width. '
                f"Received: widths {width} and {key_shape[-1]}"
            )
        if self.score == "general":
            self.key_projection = self._projection(width, "key", key_shape)
        if self.score == "concat":
            self.query_projection = self._projection(
                self.hidden_dim, "query", query_shape
            )
            self.key_projection = self._projection(self.hidden_dim, "key", key_shape)
            self.score_vector = self.add_weight(
                name="score_vector", shape=(self.hidden_dim,)
            )
        if self.local == "predictive":
            self.place_projection = self._projection(
                self.hidden_dim, "place", query_shape, "tanh"
            )
            self.place_score = self._projection(
                1, "place_score", (None, None, self.hidden_dim)
            )
        if self.output_dim is not None:
            self.output_projection = self._projection(
                self.output_dim, "output", (None, None, value_shape[-1] + width), "tanh"
            )

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "score": self.score,
            "local": self.local,
            "window": self.window,
            "output_dim": self.output_dim,
        }

    def project_key(self, key):
        return key if self.score == "dot" else self.key_projection(key)

    def prepare(self, query, places, num_keys):
        row = query
        if self.score == "concat":
            row = project_rows(self.query_projection, query)
        if self.local is None:
            return (row,)
        if self.local == "predictive":
            turn = self.place_score(self.place_projection(query))[:, :, 0]
            turn = ops.sigmoid(ops.cast(turn, "float32"))
            return row, ops.cast(num_keys, "float32") * turn
        if places is None:
            raise ValueError(
                '`position_ids` must be given to a step of `local="monotonic"`. '
                "Received: position_ids=None"
            )
        return row, ops.cast(places, "float32") + 1.0

    def score_keys(self, rows, key, place, vector):
        query, *centre = rows
        if self.score == "concat":
            scores = additive_scores(query, key, vector)
        else:
            if keras.backend.standardize_dtype(query.dtype) == "float16":
                # A product may pass 65,504, the largest number of float16.
                query, key = ops.cast(query, "float32"), ops.cast(key, "float32")
            scores = ops.matmul(query, ops.transpose(key, (0, 2, 1)))
        if not centre:
            return scores, None
        distance = ops.expand_dims(ops.cast(place, "float32") + 1.0, 1)
        distance = distance - ops.expand_dims(centre[0], 2)  # (B, T, S)
        if self.local == "predictive":
            fall = 2.0 * ops.square(distance / self.window)
            scores = ops.cast(scores, "float32") - fall
        return scores, ops.abs(distance) <= self.window

    def numbers_per_pair(self):
        return self.hidden_dim if self.score == "concat" else 1

    def combine(self, context, query):
        if self.output_dim is None:
            return context
        both = ops.concatenate([context, query], axis=-1)
        return project_rows(self.output_projection, both)

    def _projection(self, width, name, shape, activation=None):
        dense = keras.layers.Dense(
            width,
            use_bias=False,
            activation=activation,
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build(shape)
        return dense
