"""Long short-term memory (Hochreiter & Schmidhuber, 1997)."""

import keras
from keras import ops

from keras_lm import backend
from keras_lm.backend.lstm_steps import lstm_step


@keras.saving.register_keras_serializable(package="keras_lm")
class LSTM(keras.layers.Layer):
    """A recurrent network whose cell forgets and takes in by gates.

    For an input `x_t` and the state `h`, `c` before it, with `W`, `U` and `b` in four
    parts:

        i = sigmoid(W_i x_t + U_i h + b_i)        f = sigmoid(W_f x_t + U_f h + b_f)
        g = tanh(W_g x_t + U_g h + b_g)           o = sigmoid(W_o x_t + U_o h + b_o)
        c_t = f c + i g                           h_t = o tanh(c_t)

    Differs from `keras.layers.LSTM`, whose weights it has (so they can be handed on):
    the inputs of all steps go through `W` in one product; PyTorch's fused kernel serves
    every mask; the gradient of `U` is one product; it exports to LiteRT with a dynamic
    length; it always gives its state, and decodes. Padding, wherever it stands, leaves
    the state as it was.

    Shapes: `B` batch, `T` steps, `D` width of the input, `U` units.

    Args:
        units: int, at least 1, `U`.
        reverse: bool. Whether it reads from the last step to the first. Outputs stay
            at their steps.
        kernel_initializer: of `W`.
        recurrent_initializer: of `U`.
        unit_forget_bias: bool. Whether the bias of the forget gate starts at 1, so that
            a cell remembers at first; the others start at 0.
        kernel_regularizer: of `W`.
        recurrent_regularizer: of `U`.

    Call arguments:
        inputs: float `(B, T, D)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real.
        state: `{"hidden": (B, U), "cell": (B, U)}`, from which it starts; zeros when
            `None`.

    Returns:
        `(outputs, state)`: float `(B, T, U)`, the hidden state after each step; and the
        state after the last step (the first, with `reverse`), as a call takes it.

    Raises:
        ValueError: `units` is below 1.

    Example:
        >>> lstm = LSTM(units=16)
        >>> outputs, state = lstm(keras.random.normal((2, 7, 8)))
        >>> tuple(outputs.shape), tuple(state["cell"].shape)
        ((2, 7, 16), (2, 16))

    Source: https://doi.org/10.1162/neco.1997.9.8.1735;
        https://doi.org/10.1162/089976600300015015 (the forget gate).
    """

    def __init__(
        self,
        units,
        reverse=False,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        **kwargs,
    ):
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: units={units}")
        super().__init__(**kwargs)
        self.units = units
        self.reverse = reverse
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.unit_forget_bias = unit_forget_bias
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.supports_masking = True

    def build(self, inputs_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(inputs_shape[-1], 4 * self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, 4 * self.units),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(4 * self.units,), initializer=self._first_bias
        )

    def call(self, inputs, padding_mask=None, state=None):
        if padding_mask is None:
            padding_mask = getattr(inputs, "_keras_mask", None)
        if state is None:
            state = self.initial_state(ops.shape(inputs)[0])
        return self.step(inputs, state, padding_mask)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "reverse": self.reverse,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(
                self.recurrent_initializer
            ),
            "unit_forget_bias": self.unit_forget_bias,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": keras.regularizers.serialize(
                self.recurrent_regularizer
            ),
        }

    def initial_state(self, batch_size):
        """Zeros.

        Args:
            batch_size: int or int scalar tensor, `B`.

        Returns:
            `{"hidden": (B, U), "cell": (B, U)}`.
        """
        shape = (batch_size, self.units)
        return {
            "hidden": ops.zeros(shape, self.compute_dtype),
            "cell": ops.zeros(shape, self.compute_dtype),
        }

    def step(self, inputs, state, padding_mask=None):
        """`n` more steps, from a state on: what the call does, and a step of a decode.

        Args:
            inputs: float `(B, n, D)`.
            state: as `initial_state` or `step` gives it.
            padding_mask: bool `(B, n)` or `None`. `True` = real.

        Returns:
            `(outputs, state)`: float `(B, n, U)`, and the state after them.
        """
        inputs = self._as_float(inputs)
        hidden, cell = self._as_float(state["hidden"]), self._as_float(state["cell"])
        if padding_mask is not None:
            padding_mask = ops.cast(padding_mask, "bool")
        weights = [
            self._as_float(one)
            for one in (self.kernel, self.recurrent_kernel, self.bias)
        ]
        if inputs.shape[1] == 1:
            hidden, cell = _one_step(inputs, *weights, padding_mask, hidden, cell)
            outputs = ops.expand_dims(hidden, 1)
        else:
            if self.reverse:
                inputs, padding_mask = _flip(inputs), _flip(padding_mask)
            outputs, hidden, cell = backend.lstm(
                inputs, *weights, padding_mask, hidden, cell
            )
            outputs = _flip(outputs) if self.reverse else outputs
        return outputs, {"hidden": hidden, "cell": cell}

    def _as_float(self, array):
        return ops.cast(ops.convert_to_tensor(array), self.compute_dtype)

    def _first_bias(self, shape, dtype=None):
        gate = ops.ones if self.unit_forget_bias else ops.zeros
        zeros = ops.zeros((self.units,), dtype)
        return ops.concatenate([zeros, gate((self.units,), dtype), zeros, zeros])


def _one_step(inputs, kernel, recurrent_kernel, bias, mask, hidden, cell):
    """Without a loop, and without PyTorch's, which would copy the weights each time."""
    sums = ops.matmul(inputs[:, 0], kernel) + ops.matmul(hidden, recurrent_kernel)
    return lstm_step(sums + bias, hidden, cell, mask)


def _flip(array):
    return None if array is None else ops.flip(array, axis=1)
