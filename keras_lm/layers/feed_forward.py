"""The position-wise feed-forward network, plain or gated."""

import keras

from keras_lm.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="keras_lm")
class FeedForward(keras.layers.Layer):
    """Two dense layers with an activation between, at each position alone.

        output = W_2 activation(W_1 x)                        (plain)
        output = W_2 (activation(W_1 x) * (W_3 x))            (gated)

    Shapes: `B` batch, `T` steps, `E` width of the input.

    Args:
        intermediate_dim: int, at least 1. Width between the two.
        activation: name or callable. With `gated`, "gelu" makes it GeGLU and "silu"
            SwiGLU.
        gated: bool. One more projection multiplies the activation.
        dropout: float, 0 to 1. Fraction dropped after the activation in training.
        use_bias: bool. Whether the projections add a bias.
        kernel_initializer: of the projections.
        seed: int or `None`. Of the dropout.

    Call arguments:
        inputs: float `(B, T, E)`.
        training: bool. Whether dropout applies.

    Returns:
        float `(B, T, E)`.

    Raises:
        ValueError: `intermediate_dim` is below 1.

    Example:
        >>> feed_forward = FeedForward(intermediate_dim=64, gated=True)
        >>> tuple(feed_forward(keras.random.normal((2, 5, 16))).shape)
        (2, 5, 16)

    Source: https://arxiv.org/abs/1706.03762, equation 2;
        https://arxiv.org/abs/2002.05202, equation 6 (gated).
    """

    def __init__(
        self,
        intermediate_dim,
        activation="gelu",
        gated=False,
        dropout=0.0,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        seed=None,
        **kwargs,
    ):
        if intermediate_dim < 1:
            raise ValueError(
                "`intermediate_dim` must be at least 1. "
                f"Received: intermediate_dim={intermediate_dim}"
            )
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.activation = keras.activations.get(activation)
        self.gated = gated
        self.dropout = dropout
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = seed
        self.inner_projection = self._projection(intermediate_dim, "inner")
        if gated:
            self.gate_projection = self._projection(intermediate_dim, "gate")
        self.dropout_layer = Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, inputs_shape):
        self.inner_projection.build(inputs_shape)
        if self.gated:
            self.gate_projection.build(inputs_shape)
        self.output_projection = self._projection(inputs_shape[-1], "output")
        self.output_projection.build((*inputs_shape[:-1], self.intermediate_dim))

    def call(self, inputs, training=None):
        inner = self.activation(self.inner_projection(inputs))
        if self.gated:
            inner = inner * self.gate_projection(inputs)
        inner = self.dropout_layer(inner, training=training)
        return self.output_projection(inner)

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": keras.activations.serialize(self.activation),
            "gated": self.gated,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
        }

    def _projection(self, width, name):
        initializer = type(self.kernel_initializer)
        return keras.layers.Dense(
            width,
            use_bias=self.use_bias,
            kernel_initializer=initializer.from_config(
                self.kernel_initializer.get_config()
            ),
            dtype=self.dtype_policy,
            name=name,
        )
