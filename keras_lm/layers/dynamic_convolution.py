"""Convolution by weights that each position chooses (Wu et al., 2019)."""

import keras
from keras import ops

from keras_lm.layers.dropout import Dropout
from keras_lm.layers.masks import masked_softmax

PADDINGS = ("causal", "same")


@keras.saving.register_keras_serializable(package="keras_lm")
class DynamicConvolution(keras.layers.Layer):
    """Attention to the `k` positions around, by weights that no key has a say in.

    With the inputs projected and gated, `u = W_a x * sigmoid(W_b x)`:

        weights_t = softmax_j(W u_t)              dynamic: each position's own
        weights_t = softmax_j(w)                  light: the same everywhere
        context_t = sum_j weights_tj u_{t - left + j}
        output_t  = W_o context_t

    for each head, which shares one row of weights over its part of the features. `left`
    is `k - 1` when causal, so that a position sees itself and `k - 1` before it, and
    `(k - 1) // 2` otherwise. Time and memory grow with `T k`.

    Differs from the paper in that the softmax is over the taps that fall on real
    positions: padding, and what lies beyond both ends, has weight 0, and the others sum
    to 1. Distances count padded positions.

    Shapes: `B` batch, `H` heads, `T` steps, `k` taps, `E` width.

    Args:
        num_heads: int, at least 1, divides `E`. `H`.
        kernel_size: int, at least 1, `k`.
        dynamic: bool. `False` is the paper's lightweight convolution.
        padding: "causal" or "same", as of `keras.layers.Conv1D`.
        gated: bool. Whether the input projection is a gated linear unit.
        dropout: float, 0 to 1. Fraction of weights dropped in training.
        use_bias: bool. Whether the input and output projections add a bias.
        seed: int or `None`. Of the dropout.

    Call arguments:
        inputs: float `(B, T, E)`.
        padding_mask: bool `(B, T)`. `True` = real. When `None`, the mask that Keras
            hands on with `inputs`, if any.
        return_attention_scores: bool. Also gives the weights.
        training: bool. Whether dropout applies.

    Returns:
        float `(B, T, E)`; with `return_attention_scores` also the weights, float
        `(B, H, T, k)`, whose rows sum to 1, or are 0 where no tap is real. The last tap
        is the position itself when causal.

    Raises:
        ValueError: a size is below 1, `num_heads` does not divide `E`, `padding` is
            unknown, `dropout` is no fraction, or a layer that is not causal or not
            built is to decode.

    Example:
        >>> convolution = DynamicConvolution(num_heads=4, kernel_size=3)
        >>> output, weights = convolution(
        ...     keras.random.normal((2, 7, 8)), return_attention_scores=True
        ... )
        >>> tuple(output.shape), tuple(weights.shape)
        ((2, 7, 8), (2, 4, 7, 3))

    Source: https://arxiv.org/abs/1901.10430, sections 3 and 4.
    """

    def __init__(
        self,
        num_heads,
        kernel_size,
        dynamic=True,
        padding="causal",
        gated=True,
        dropout=0.0,
        use_bias=True,
        seed=None,
        **kwargs,
    ):
        for name, size in {"num_heads": num_heads, "kernel_size": kernel_size}.items():
            if size < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={size}"
                )
        if padding not in PADDINGS:
            raise ValueError(
                f"`padding` must be one of {list(PADDINGS)}. "
                f"Received: padding={padding!r}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}"
            )
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.kernel_size = kernel_size
        self.dynamic = dynamic
        self.padding = padding
        self.gated = gated
        self.dropout = dropout
        self.use_bias = use_bias
        self.seed = seed
        self.supports_masking = True
        self.dropout_layer = Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, inputs_shape):
        width = inputs_shape[-1]
        if width % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the width of the inputs. "
                f"Received: num_heads={self.num_heads}, width {width}"
            )
        self.width = width
        self.input_projection = self._projection(width * (1 + self.gated), "input")
        self.input_projection.build(inputs_shape)
        self.output_projection = self._projection(width, "output")
        self.output_projection.build(inputs_shape)
        taps = self.num_heads * self.kernel_size
        if self.dynamic:
            self.tap_projection = self._projection(taps, "tap", use_bias=False)
            self.tap_projection.build(inputs_shape)
        else:
            shape = (self.num_heads, self.kernel_size)
            self.tap_scores = self.add_weight(name="tap_scores", shape=shape)

    def call(
        self, inputs, padding_mask=None, return_attention_scores=False, training=None
    ):
        if padding_mask is None:  # Keras hands it on under the name `mask` only
            padding_mask = getattr(inputs, "_keras_mask", None)
        units = self._units(inputs)
        real = _real(units, padding_mask)
        span = self.kernel_size - 1
        left = span if self.padding == "causal" else span // 2
        around = ops.pad(units, ((0, 0), (left, span - left), (0, 0)))
        real = ops.pad(real, ((0, 0), (left, span - left)))
        weights = self._weigh(units, real)
        output = self._convolve(self.dropout_layer(weights, training=training), around)
        if not return_attention_scores:
            return output
        return output, ops.transpose(weights, (0, 2, 1, 3))  # (B, H, T, k)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "kernel_size": self.kernel_size,
            "dynamic": self.dynamic,
            "padding": self.padding,
            "gated": self.gated,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "seed": self.seed,
        }

    def initial_state(self, batch_size, max_length):
        """The `k - 1` positions before the first: none of them is real.

        Args:
            batch_size: int or int scalar tensor, `B`.
            max_length: int. Ignored: the state does not grow with the text.

        Returns:
            `{"units": (B, k - 1, E), "real": int32 (B, k - 1)}`, zeros.
        """
        if self.padding != "causal" or not self.built:
            raise ValueError(
                'To decode, the layer must be built, with `padding="causal"`. '
                f"Received: padding={self.padding!r}, built={self.built}"
            )
        span = self.kernel_size - 1
        return {
            "units": ops.zeros((batch_size, span, self.width), self.compute_dtype),
            "real": ops.zeros((batch_size, span), "int32"),
        }

    def step(self, inputs, state, now):
        """`n` new positions, from the `k - 1` before them.

        Args:
            inputs: float `(B, n, E)`.
            state: as `initial_state` gives it.
            now: what `clock.advance_clock` says of this step.

        Returns:
            `(output, state)`: float `(B, n, E)`, and the state after the step.
        """
        units = self._units(inputs)
        real = _real(units, now.padding_mask)
        around = ops.concatenate([state["units"], units], axis=1)
        real = ops.concatenate([state["real"], real], axis=1)
        output = self._convolve(self._weigh(units, real), around)
        num_new = ops.shape(units)[1]
        return output, {"units": around[:, num_new:], "real": real[:, num_new:]}

    def _units(self, inputs):
        units = self.input_projection(inputs)
        return keras.activations.glu(units, axis=-1) if self.gated else units

    def _weigh(self, units, real):
        """`(B, T, H, k)`, from `(B, T, E)` and which of `T + k - 1` are real."""
        steps = ops.shape(units)[1]
        taps = [real[:, j : j + steps] for j in range(self.kernel_size)]
        mask = ops.expand_dims(ops.stack(taps, axis=-1) > 0, 2)  # (B, T, 1, k)
        if self.dynamic:
            shape = (-1, steps, self.num_heads, self.kernel_size)
            scores = ops.reshape(self.tap_projection(units), shape)
        else:
            scores = ops.expand_dims(ops.expand_dims(self.tap_scores, 0), 0)
        return ops.cast(masked_softmax(scores, mask), self.compute_dtype)

    def _convolve(self, weights, around):
        """`(B, T, H, k)` over `(B, T + k - 1, E)`: a product and a sum for each tap."""
        steps, width = ops.shape(weights)[1], self.width // self.num_heads
        shape = (-1, ops.shape(around)[1], self.num_heads, width)
        around = ops.reshape(around, shape)
        context = sum(
            weights[:, :, :, j : j + 1] * around[:, j : j + steps]
            for j in range(self.kernel_size)
        )  # (B, T, H, E / H)
        return self.output_projection(ops.reshape(context, (-1, steps, self.width)))

    def _projection(self, width, name, use_bias=None):
        return keras.layers.Dense(
            width,
            use_bias=self.use_bias if use_bias is None else use_bias,
            dtype=self.dtype_policy,
            name=name,
        )


def _real(units, padding_mask):
    """1 for a real position, 0 for padding: int32 `(B, T)`."""
    if padding_mask is None:
        return ops.ones(ops.shape(units)[:2], "int32")
    return ops.cast(ops.cast(padding_mask, "bool"), "int32")
