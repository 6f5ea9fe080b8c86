"""lstm_loop: a step at a time == `LSTM` at once, with and without a loop."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers import LSTM
from keras_lm.layers.lstm_loop import (
    advance_lstm,
    input_sums,
    joined_kernel,
    run_steps,
)
from tests.checks import assert_close, compiled, padding

rng = np.random.default_rng(seed=0)
INPUTS = rng.normal(size=(2, 5, 3)).astype("float32")
EXTRA = rng.normal(size=(2, 5, 4)).astype("float32")
STATE = {name: rng.normal(size=(2, 6)).astype("float32") for name in ("hidden", "cell")}


@pytest.mark.parametrize("length", [1, 5])
def test_steps_equal_the_layer(length):
    lstm = LSTM(6)
    lstm.build((None, None, 7))
    inputs, extra, real = (x[:, :length] for x in (INPUTS, EXTRA, padding(2, 5)))
    both = np.concatenate([inputs, extra], axis=-1)
    expected, last = lstm(both, padding_mask=real, state=STATE)

    def run(inputs, extra, real, state):
        kernel = joined_kernel(lstm, skip=3)

        def advance(state, step):
            return advance_lstm(
                kernel, step["sums"], step["extra"], state, step["mask"]
            )

        steps = {"sums": input_sums(lstm, inputs), "extra": extra}
        steps["mask"] = ops.expand_dims(real, 2)
        return run_steps(advance, state, steps)

    arrays = [ops.convert_to_tensor(x) for x in (inputs, extra, real)]
    state = {name: ops.convert_to_tensor(x) for name, x in STATE.items()}
    states = compiled(run)(*arrays, state)

    assert_close(states["hidden"], expected)
    assert_close(states["cell"][:, -1], last["cell"])
