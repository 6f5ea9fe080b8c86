"""WarmupCosine: values done by hand, its configuration, its errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.training import WarmupCosine
from tests.checks import assert_close


def test_values_by_hand():
    # Up in 4 steps, then half a cosine over 8: at a quarter (1 + cos 45) / 2, ...
    schedule = WarmupCosine(
        peak=2.0, warmup_steps=4, total_steps=12, final_fraction=0.5
    )
    quarter = (1 + np.sqrt(0.5)) / 2  # cos 45 degrees = sqrt(1/2)
    by_hand = {
        0: 0.5,
        1: 1.0,
        3: 2.0,
        4: 2.0,
        6: 2 * (0.5 + 0.5 * quarter),
        8: 1.5,
        12: 1.0,
        99: 1.0,
    }

    rates = [schedule(step) for step in by_hand]

    assert_close(ops.stack(rates), list(by_hand.values()), tolerance=1e-6)


def test_without_warmup_the_first_step_is_the_peak():
    assert_close(WarmupCosine(0.3, 0, 7)(0), 0.3, tolerance=1e-7)


def test_from_config_gives_the_same_schedule():
    schedule = WarmupCosine(0.3, 5, 17, final_fraction=0.2, name="rate")

    config = keras.optimizers.schedules.serialize(schedule)
    again = keras.optimizers.schedules.deserialize(config)

    assert again.get_config() == schedule.get_config()
    assert_close(again(11), schedule(11), tolerance=0)


def test_an_optimizer_follows_it():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    schedule = WarmupCosine(1.0, 4, 13)
    model.compile(keras.optimizers.SGD(schedule), "mse")

    model.fit(np.ones((10, 3)), np.ones((10, 2)), batch_size=5, verbose=0)

    assert_close(model.optimizer.learning_rate, 0.75)  # two steps are done


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peak": 0.0}, "`peak` must be above 0"),
        ({"warmup_steps": -1}, "`warmup_steps` must be at least 0"),
        ({"total_steps": 5}, "`total_steps` must be above `warmup_steps`"),
        ({"final_fraction": 1.5}, "`final_fraction` must be 0 to 1"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        WarmupCosine(**{"peak": 1.0, "warmup_steps": 5, "total_steps": 17, **changes})
