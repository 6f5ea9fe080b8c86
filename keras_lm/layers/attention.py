"""The skeleton that all attention layers with queries, keys and values share."""

import keras
from keras import ops

from keras_lm import backend
from keras_lm.layers.arguments import check_sizes
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.masks import Visibility, both, heads_mask, hide_rows
from keras_lm.layers.rotary_embedding import RotaryEmbedding


class Attention(keras.layers.Layer):
    """Projections, heads, masks and decoding state; a final class says how it attends.

    A final class defines `attend(query, key, value, visibility, training)`, and
    `weigh`, the same with the weights given back; `attend_step` where a decoding step
    is more than `attend` over all slots. Its call is that of
    `keras.layers.MultiHeadAttention`, so that one is swapped for another by name.

    Shapes: `B` batch, `H` heads, `K` key and value heads, `T` query steps, `S` key
    steps, `L` slots of the decoding state, `D` width of a head.

    Args:
        num_heads: int, at least 1, `H`.
        key_dim: int, at least 1. Width of each query and key head, `D`.
        value_dim: int. Width of each value head; `key_dim` when `None`.
        num_key_value_heads: int, divides `num_heads`, `K`: so many heads of keys and
            values serve all query heads (grouped-query attention). `num_heads` when
            `None`.
        dropout: float, 0 to 1. Fraction of attention weights dropped in training.
        use_bias: bool. Whether the four projections add a bias.
        use_output_bias: bool. Whether the last one does; `use_bias` when `None`.
        output_dim: int. Width of the output; the query's width when `None`.
        rotary_wavelength: float or `None`. Turns queries and keys by their positions
            (`RotaryEmbedding`); for self-attention only.
        rotary_scaling: dictionary or `None`. Its `scaling`, for longer texts.
        qk_norm: bool. Divides queries and keys by their root mean square, head by
            head, and learns a gain.
        kernel_initializer: of the projections.
        bias_initializer: of the projections.
        kernel_regularizer: of the projections.
        seed: int or `None`. Of the dropout.

    Source: https://arxiv.org/abs/1706.03762, section 3.2.2;
        https://arxiv.org/abs/2305.13245 (grouped queries);
        https://arxiv.org/abs/2010.04245 (`qk_norm`).
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        num_key_value_heads=None,
        dropout=0.0,
        use_bias=True,
        output_dim=None,
        rotary_wavelength=None,
        qk_norm=False,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        seed=None,
        use_output_bias=None,
        rotary_scaling=None,
        **kwargs,
    ):
        value_dim = key_dim if value_dim is None else value_dim
        check_sizes(num_heads=num_heads, key_dim=key_dim, value_dim=value_dim)
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        if num_key_value_heads is None:
            num_key_value_heads = num_heads
        self.num_key_value_heads = num_key_value_heads
        if num_key_value_heads < 1 or num_heads % num_key_value_heads:
            raise ValueError(
                "`num_key_value_heads` must divide `num_heads`. Received: "
                f"num_key_value_heads={num_key_value_heads}, num_heads={num_heads}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}"
            )
        self.dropout = dropout
        self.use_bias = use_bias
        self.use_output_bias = use_output_bias
        if output_dim is not None:
            check_sizes(output_dim=output_dim)
        self.output_dim = output_dim
        self.rotary_wavelength = rotary_wavelength
        self.rotary_scaling = rotary_scaling
        self.qk_norm = qk_norm
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.seed = seed
        self.supports_masking = True

        kv_heads = self.num_key_value_heads
        self.query_projection = self._projection(num_heads * key_dim, "query")
        self.key_projection = self._projection(kv_heads * key_dim, "key")
        self.value_projection = self._projection(kv_heads * self.value_dim, "value")
        self.dropout_layer = Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )
        self.query_norm = self.key_norm = None
        if qk_norm:
            self.query_norm, self.key_norm = (
                keras.layers.RMSNormalization(dtype=self.dtype_policy, name=name)
                for name in ("query_norm", "key_norm")
            )
        self.rotary = None
        if rotary_wavelength is not None:
            self.rotary = RotaryEmbedding(
                rotary_wavelength,
                rotary_scaling,
                dtype=self.dtype_policy,
                name="rotary",
            )

    def build(self, query_shape, value_shape=None, key_shape=None):
        value_shape = value_shape or query_shape
        self.query_projection.build(query_shape)
        self.key_projection.build(key_shape or value_shape)
        self.value_projection.build(value_shape)
        if self.qk_norm:
            self.query_norm.build((None, None, None, self.key_dim))
            self.key_norm.build((None, None, None, self.key_dim))
        self.output_projection = self._projection(
            self.output_dim or query_shape[-1], "output"
        )
        self.output_projection.build((None, None, self.num_heads * self.value_dim))

    def call(
        self,
        query,
        value=None,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        if value is None:
            if query_mask is None:  # Keras hands masks on for two inputs or more only
                query_mask = getattr(query, "_keras_mask", None)
            value, value_mask = query, both(query_mask, value_mask)
        q, k, v = self.project(query, value if key is None else key, value)
        visibility = Visibility(
            key_mask=both(_as_bool(key_mask), _as_bool(value_mask)),
            attention_mask=heads_mask(attention_mask),
            is_causal=use_causal_mask,
        )
        if self.rotary is not None:
            places = _places(k, visibility.key_mask)
            q = self.rotary(q, places[:, ops.shape(k)[2] - ops.shape(q)[2] :])
            k = self.rotary(k, places)
        weights = None
        if return_attention_scores:
            context, weights = self.weigh(q, k, v, visibility, training)
        else:
            context = self.attend(q, k, v, visibility, training)
        context, weights = hide_rows(context, weights, _as_bool(query_mask))
        output = self.merge(context)
        return (output, weights) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "num_key_value_heads": self.num_key_value_heads,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_dim": self.output_dim,
            "rotary_wavelength": self.rotary_wavelength,
            "qk_norm": self.qk_norm,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "seed": self.seed,
            "use_output_bias": self.use_output_bias,
            "rotary_scaling": self.rotary_scaling,
        }

    def initial_state(self, batch_size, max_length):
        """Empty keys and values for `max_length` slots.

        Args:
            batch_size: int or int scalar tensor, `B`.
            max_length: int, `L`.

        Returns:
            `{"key": (B, K, L, D), "value": (B, K, L, Dv)}`, zeros.
        """
        heads, dtype = self.num_key_value_heads, self.compute_dtype
        return {
            "key": ops.zeros((batch_size, heads, max_length, self.key_dim), dtype),
            "value": ops.zeros((batch_size, heads, max_length, self.value_dim), dtype),
        }

    def step(self, query, state, now):
        """Attends from `n` new positions to all that came before and to themselves.

        Args:
            query: float `(B, n, E)`.
            state: as `initial_state` gives it. It is used up: do not use it again.
            now: what `clock.advance_clock` says of this step.

        Returns:
            `(output, state)`: float `(B, n, E)`, and the state after the step.
        """
        q, k, v = self.project(query, query, query)
        if self.rotary is not None:
            q, k = self.rotary(q, now.position_ids), self.rotary(k, now.position_ids)
        state = {
            "key": backend.write_slots(state["key"], k, now.index, axis=2),
            "value": backend.write_slots(state["value"], v, now.index, axis=2),
        }
        return self.merge(self.attend_step(q, state, now)), state

    def attend_step(self, query, state, now):
        """`attend` from the new positions to all visible slots."""
        visibility = Visibility(attention_mask=now.attention_mask)
        return self.attend(query, state["key"], state["value"], visibility, False)

    def project(self, query, key, value):
        """In heads: queries `(B, H, T, D)`, keys `(B, K, S, D)`, values `(.., Dv)`."""
        return self.project_query(query), *self.project_source(key, value)

    def project_query(self, query):
        """Queries in heads, `(B, H, T, D)`."""
        q = _split_heads(self.query_projection(query), self.num_heads)
        return self.query_norm(q) if self.qk_norm else q

    def project_source(self, key, value):
        """Keys in heads, `(B, K, S, D)`, and values, `(B, K, S, Dv)`."""
        k = _split_heads(self.key_projection(key), self.num_key_value_heads)
        v = _split_heads(self.value_projection(value), self.num_key_value_heads)
        return (self.key_norm(k) if self.qk_norm else k), v

    def merge(self, context):
        """Heads `(B, H, T, Dv)` side by side, through the output projection."""
        context = ops.transpose(context, (0, 2, 1, 3))  # (B, T, H, Dv)
        width = self.num_heads * self.value_dim
        steps = ops.shape(context)[1]
        return self.output_projection(ops.reshape(context, (-1, steps, width)))

    def attend(self, query, key, value, visibility, training):
        """Context `(B, H, T, Dv)`; builds nothing of size `T x S` if it can."""
        raise NotImplementedError(f"{type(self).__name__} must define `attend`")

    def weigh(self, query, key, value, visibility, training):
        """`(context, weights)`, the weights `(B, H, T, S)` whole."""
        raise NotImplementedError(f"{type(self).__name__} must define `weigh`")

    def _projection(self, width, name):
        use_bias = self.use_bias
        if name == "output" and self.use_output_bias is not None:
            use_bias = self.use_output_bias
        return keras.layers.Dense(
            width,
            use_bias=use_bias,
            kernel_initializer=_fresh(self.kernel_initializer),
            bias_initializer=_fresh(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            name=name,
        )


def _places(key, key_mask):
    """Positions of the keys in their row, `(B or 1, S)`; padding is not counted."""
    if key_mask is None:
        return ops.expand_dims(ops.arange(0, ops.shape(key)[2], dtype="int32"), 0)
    return ops.maximum(ops.cumsum(ops.cast(key_mask, "int32"), axis=1) - 1, 0)


def _split_heads(array, num_heads):
    steps, width = ops.shape(array)[1], array.shape[2] // num_heads
    array = ops.reshape(array, (-1, steps, num_heads, width))  # (B, T, H, D)
    return ops.transpose(array, (0, 2, 1, 3))  # (B, H, T, D)


def _as_bool(mask):
    return None if mask is None else ops.cast(mask, "bool")


def _fresh(initializer):
    """A copy: Keras draws the same numbers twice from one unseeded initializer."""
    return type(initializer).from_config(initializer.get_config())
