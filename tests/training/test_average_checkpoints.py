"""AverageCheckpoints: the mean of the last epochs, kinds of weights, errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.training import AverageCheckpoints, ResumableCheckpoint
from tests.checks import assert_close

numbers = np.random.default_rng(seed=0)
X = numbers.normal(size=(4, 3)).astype("float32")
Y = numbers.normal(size=(4, 2)).astype("float32")


class Recorder(keras.callbacks.Callback):
    """The weights after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.seen = [*getattr(self, "seen", []), self.model.get_weights()]


def fitted(last, epochs, *callbacks, **options):
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(5),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(2),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    average, recorder = AverageCheckpoints(last), Recorder()
    model.fit(
        X,
        Y,
        epochs=epochs,
        callbacks=[average, recorder, *callbacks],
        verbose=0,
        **options,
    )
    return model, average, recorder.seen


@pytest.mark.parametrize(("last", "epochs", "number"), [(2, 3, 2), (5, 3, 3)])
def test_the_model_ends_with_the_mean_of_the_last_epochs(last, epochs, number):
    model, average, seen = fitted(last, epochs)

    assert average.num_averaged == number
    assert len(seen) == epochs
    for weight, *arrays in zip(model.get_weights(), *seen[-number:], strict=True):
        assert_close(weight, np.mean(arrays, axis=0), tolerance=1e-6)
    assert not np.allclose(model.get_weights()[0], seen[-1][0], atol=1e-7)
    # It works on: predictions are the mean's, and training goes on from there.
    assert np.isfinite(model.predict(X, verbose=0)).all()
    model.fit(X, Y, verbose=0)


def test_one_epoch_is_its_own_mean():
    model, _, seen = fitted(1, 2)

    for weight, last in zip(model.get_weights(), seen[-1], strict=True):
        assert_close(weight, last, tolerance=0)


def test_training_that_stops_early_averages_what_there_was():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    _, average, seen = fitted(3, 9, Stop())

    assert len(seen) == average.num_averaged == 2


class Counted(keras.Model):
    """Weights of several kinds, moved by the test."""

    def __init__(self):
        super().__init__()
        self.half = self.add_weight(shape=(2,), dtype="float16", name="half")
        self.brain = self.add_weight(shape=(2,), dtype="bfloat16", name="brain")
        self.count = self.add_weight(
            shape=(), dtype="int32", name="count", trainable=False
        )
        self.built = True


def test_half_floats_are_averaged_and_whole_numbers_keep_their_last_value():
    model, average = Counted(), AverageCheckpoints(3)
    average.set_model(model)
    average.on_train_begin()
    for value, count in [(1, 10), (60000, 20), (60000, 30), (3, 40)]:
        model.half.assign(ops.full((2,), value, "float16"))
        model.brain.assign(ops.full((2,), value, "bfloat16"))
        model.count.assign(count)
        average.on_epoch_end(0)

    average.on_train_end()  # a sum in float16 would have been infinite

    assert_close(model.half, [40001.0] * 2, tolerance=1e-3)
    assert_close(ops.cast(model.brain, "float32"), [40001.0] * 2, tolerance=1e-2)
    assert int(model.count) == 40


class Killed(keras.callbacks.Callback):
    """Ends the process, as it were, at the end of an epoch or of training."""

    def __init__(self, epoch=None):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt

    def on_train_end(self, *logs):
        raise KeyboardInterrupt


def run(folder, *killed, epochs=4, settings=None, before=False):
    """A run of `ResumableCheckpoint`; `killed` before it, or else behind it."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    checkpoint = ResumableCheckpoint(folder, settings or {}, notify=lambda _: None)
    average = AverageCheckpoints(3, folder / "last")
    model.fit(
        X,
        Y,
        initial_epoch=checkpoint.restore(model),
        epochs=epochs,
        callbacks=[average, *killed * before, checkpoint, *killed * (not before)],
        shuffle=False,
        verbose=0,
    )
    return average.num_averaged, model.get_weights()


def assert_same_run(some, others):
    assert some[0] == others[0]
    for one, other in zip(some[1], others[1], strict=True):
        assert_close(one, other, tolerance=0)


@pytest.mark.parametrize(
    ("killed", "before"),
    [(Killed(3), True), (Killed(2), False), (Killed(3), False), (Killed(), False)],
)
def test_a_run_that_was_killed_ends_with_the_same_mean(tmp_path, killed, before):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", killed, before=before)

    assert_same_run(run(tmp_path / "parts"), whole)
    assert whole[0] == 3
    assert len(list((tmp_path / "parts" / "last").iterdir())) == 3


def test_another_run_in_the_same_folder_takes_nothing_of_the_first(tmp_path):
    run(tmp_path / "used", epochs=5)

    again = run(tmp_path / "used", epochs=2, settings={"other": 1})

    assert_same_run(again, run(tmp_path / "new", epochs=2))
    assert len(list((tmp_path / "used" / "last").iterdir())) == 2


def test_a_run_of_no_epoch_leaves_the_files_of_another(tmp_path):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", Killed(2))
    killed = keras.callbacks.LambdaCallback(on_epoch_begin=Killed().on_train_end)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", killed, settings={"another": 1})

    assert_same_run(run(tmp_path / "parts"), whole)


def test_what_is_damaged_or_unfinished_is_left_out_and_goes(tmp_path):
    run(tmp_path, epochs=3)
    _, second, third = sorted((tmp_path / "last").iterdir())
    second.write_bytes(second.read_bytes()[:-30])
    third.with_name(f".{third.name}-0123").touch()
    other = tmp_path / "last" / "notes.txt"
    other.touch()

    number, _ = run(tmp_path, epochs=4)

    assert number == 2
    left = sorted(path.name for path in (tmp_path / "last").iterdir())
    assert left == [third.name, "epoch_000004.npz", other.name]


@pytest.mark.once
def test_less_than_one_is_refused():
    with pytest.raises(ValueError, match="`last` must be at least 1. Received: last=0"):
        AverageCheckpoints(0)
