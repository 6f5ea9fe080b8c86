"""LSTMs step by step, where a step must know what came of the last one.

Where it need not, `LSTM` takes all steps at once.
"""

from keras import ops

from keras_lm import backend
from keras_lm.backend.lstm_steps import lstm_step


def input_sums(lstm, inputs):
    """What the inputs of all steps add to the gates, in one product.

    Shapes: `B` batch, `T` steps, `E` width of the inputs, `X` width of what else goes
    into a step, `U` units.

    Args:
        lstm: an `LSTM` built for inputs of width `E + X`.
        inputs: float `(B, T, E)`.

    Returns:
        float `(B, T, 4U)`, the bias included.
    """
    kernel = _cast(lstm, lstm.kernel)[: inputs.shape[-1]]
    return ops.matmul(inputs, kernel) + _cast(lstm, lstm.bias)


def joined_kernel(lstm, skip=0):
    """What else goes into a step and its state, side by side, go through one product.

    Args:
        lstm: a built `LSTM`.
        skip: int, `E`. Rows of its kernel that `input_sums` has used.

    Returns:
        float `(X + U, 4U)`.
    """
    kernels = [_cast(lstm, lstm.kernel)[skip:], _cast(lstm, lstm.recurrent_kernel)]
    return ops.concatenate(kernels, axis=0)


def advance_lstm(kernel, sums, extra, state, mask=None):
    """One step.

    Args:
        kernel: as `joined_kernel` gives it.
        sums: float `(B or 1, 4U)`.
        extra: float `(B, X)`.
        state: `{"hidden": (B, U), "cell": (B, U)}`.
        mask: bool `(B, 1)` or `None`. `False` leaves a row's state as it was.

    Returns:
        The state after the step.
    """
    both = ops.concatenate([extra, state["hidden"]], axis=-1)
    sums = sums + ops.matmul(both, kernel)
    hidden, cell = lstm_step(sums, state["hidden"], state["cell"], mask)
    return {"hidden": hidden, "cell": cell}


def run_steps(function, state, steps):
    """`state = function(state, step)` for each step in turn; a loop if there are more.

    Args:
        function: of a state and the arrays of one step, `(B, ..)`, to the next state.
        state: dictionary of arrays `(B, ..)`, before the first step.
        steps: dictionary of arrays `(B, T, ..)`.

    Returns:
        The states after each step, a dictionary of arrays `(B, T, ..)`.
    """
    if next(iter(steps.values())).shape[1] == 1:
        state = function(state, {name: array[:, 0] for name, array in steps.items()})
        return {name: ops.expand_dims(array, 1) for name, array in state.items()}
    steps = {name: _swap(array) for name, array in steps.items()}
    states = backend.scan(function, state, steps)
    return {name: _swap(array) for name, array in states.items()}


def _swap(array):
    """Batch and steps change places."""
    return ops.transpose(array, (1, 0, *range(2, len(array.shape))))


def _cast(lstm, weight):
    return ops.cast(ops.convert_to_tensor(weight), lstm.compute_dtype)
