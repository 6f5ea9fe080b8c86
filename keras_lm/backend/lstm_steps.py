"""What the recurrences of an LSTM share: a step, and the slopes of its gradient.

Gates come in Keras' order: input, forget, candidate, output.
"""

import numpy as np
from keras import ops


def lstm_step(gates, hidden, cell, mask=None):
    """One step, from the sums that go into the gates.

        c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g);   h_t = sigmoid(o) tanh(c_t)

    Args:
        gates: float `(B, 4U)`, with the part of the hidden state added.
        hidden: float `(B, U)`.
        cell: float `(B, U)`.
        mask: bool `(B, 1)` or `None`. `False` leaves a row's state as it was.

    Returns:
        `(hidden, cell)` after the step.
    """
    i, f, g, o = _open(gates)
    new_cell = f * cell + i * g
    new_hidden = o * ops.tanh(new_cell)
    if mask is None:
        return new_hidden, new_cell
    return ops.where(mask, new_hidden, hidden), ops.where(mask, new_cell, cell)


def lstm_slopes(gates, before, after, mask=None):
    """All that the gradient needs of the steps, of all steps at once.

    Args:
        gates: float `(T, B, 4U)`, with the part of the hidden state added.
        before: float `(T, B, U)`. The cell before each step.
        after: float `(T, B, U)`. The cell after it.
        mask: bool `(T, B, 1)` or `None`.

    Returns:
        tuple: `(T, B, 3U)`, how the sums of the first three gates move the cell;
        `(T, B, U)`, how that of the last moves the hidden state; how the new cell moves
        the hidden state; and how the old cell moves the new one.
    """
    i, f, g, o = _open(gates)
    turned = ops.tanh(after)
    to_cell = ops.concatenate(
        [g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)], axis=-1
    )
    to_hidden = turned * o * (1 - o)
    through = o * (1 - turned * turned)
    if mask is not None:
        zero = ops.cast(0, gates.dtype)
        to_cell, to_hidden, through = (
            ops.where(mask, slope, zero) for slope in (to_cell, to_hidden, through)
        )
        f = ops.where(mask, f, ops.cast(1, gates.dtype))
    return to_cell, to_hidden, through, f


def lstm_step_back(slopes, kernel, to_output, to_hidden, to_cell, mask=None):
    """One step of the gradient, backwards.

    Args:
        slopes: as `lstm_slopes` gives them, of this step.
        kernel: float `(4U, U)`, the recurrent kernel, transposed.
        to_output: float `(B, U)`. The gradient of the step's output.
        to_hidden: float `(B, U)`. The gradient of the state after the step.
        to_cell: float `(B, U)`. The same of the cell.
        mask: bool `(B, 1)` or `None`.

    Returns:
        `(to_gates, to_hidden, to_cell)`: of the sums, `(B, 4U)`, and of the state
        before the step.
    """
    cell_slope, hidden_slope, through, kept = slopes
    to_hidden = to_hidden + to_output
    to_cell = to_cell + to_hidden * through
    three = ops.concatenate([to_cell, to_cell, to_cell], axis=-1) * cell_slope
    to_gates = ops.concatenate([three, to_hidden * hidden_slope], axis=-1)
    earlier = ops.matmul(to_gates, kernel)
    if mask is not None:
        earlier = ops.where(mask, earlier, to_hidden)
    return to_gates, earlier, to_cell * kept


def _open(gates):
    """The four gates of their sums, by one call for all.

    `sigmoid(x) = tanh(x / 2) / 2 + 1 / 2`: where gates were cut apart first, XLA took
    1.7 times as long.
    """
    units = gates.shape[-1] // 4
    half = np.repeat([0.5, 0.5, 1.0, 0.5], units)
    turned = ops.tanh(gates * ops.cast(half, gates.dtype))
    i, f, g, o = ops.split(turned, 4, axis=-1)
    return 0.5 * i + 0.5, 0.5 * f + 0.5, g, 0.5 * o + 0.5
