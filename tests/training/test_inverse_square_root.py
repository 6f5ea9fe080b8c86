"""InverseSquareRoot: values by hand, the paper's formula, its errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.training import InverseSquareRoot
from tests.checks import assert_close


def test_values_by_hand():
    # Up in 4 steps; the 16th step is 4 times as late as the peak: half of it.
    by_hand = {0: 0.5, 1: 1.0, 3: 2.0, 15: 1.0, 35: 2 / 3, 399: 0.2}
    schedule = InverseSquareRoot(peak=2.0, warmup_steps=4)

    rates = [schedule(step) for step in by_hand]

    assert_close(ops.stack(rates), list(by_hand.values()), tolerance=1e-6)


def test_it_is_the_papers_formula():
    hidden_dim, warmup_steps = 512, 4000
    schedule = InverseSquareRoot((hidden_dim * warmup_steps) ** -0.5, warmup_steps)

    for step in (1, 7, 3999, 4000, 4001, 100_000):
        paper = hidden_dim**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)
        assert_close(schedule(step - 1) / paper, 1.0)


def test_from_config_gives_the_same_schedule():
    schedule = InverseSquareRoot(0.3, 5, name="rate")

    config = keras.optimizers.schedules.serialize(schedule)
    again = keras.optimizers.schedules.deserialize(config)

    assert again.get_config() == schedule.get_config()
    assert_close(again(11), schedule(11), tolerance=0)


def test_an_optimizer_follows_it():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(InverseSquareRoot(1.0, 4)), "mse")

    model.fit(np.ones((10, 3)), np.ones((10, 2)), batch_size=5, verbose=0)

    assert_close(model.optimizer.learning_rate, 0.75)  # two steps are done


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peak": 0.0}, "`peak` must be above 0"),
        ({"peak": float("nan")}, "`peak` must be above 0"),
        ({"warmup_steps": 0}, "`warmup_steps` must be at least 1"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        InverseSquareRoot(**{"peak": 1.0, "warmup_steps": 5, **changes})
