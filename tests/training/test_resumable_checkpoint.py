"""ResumableCheckpoint: a run that was killed ends as one that was not."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.training import ResumableCheckpoint
from tests.training.checkpointed_run import make_model, train

ROOT = Path(__file__).parent.parent.parent


def state_of(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [ops.convert_to_numpy(variable.value) for variable in variables]


def assert_same_state(actual, expected):
    for one, other in zip(state_of(actual), state_of(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


# -------------------------------------------------------------- going on


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    whole, whole_checkpoint = train(tmp_path / "whole", epochs=5)
    told = []

    train(tmp_path / "parts", epochs=2)
    parts, checkpoint = train(tmp_path / "parts", epochs=5, notify=told.append)

    assert_same_state(parts, whole)
    assert checkpoint.history == whole_checkpoint.history
    assert len(checkpoint.history["loss"]) == 5
    assert told[0].startswith("Training goes on after epoch 2")
    assert names(tmp_path / "parts") == ["checkpoint_000004", "checkpoint_000005"]


@pytest.mark.slow_elsewhere
def test_a_run_killed_at_random_moments_goes_on(tmp_path):
    epochs = 60
    whole, whole_checkpoint = train(tmp_path / "whole", epochs)
    command = [sys.executable, "-m", "tests.training.checkpointed_run"]
    command += [str(tmp_path / "killed"), str(epochs)]

    done = [0]
    for _ in range(2):
        done.append(run_and_kill(command))
    model, checkpoint = train(tmp_path / "killed", epochs)

    assert 0 < done[1] < done[-1]  # it got further each time, and was not done
    assert_same_state(model, whole)
    assert checkpoint.history == whole_checkpoint.history


def run_and_kill(command):
    """Kills the run a moment after some epochs; returns how many it had told."""
    epoch = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            if line.startswith("epoch"):
                epoch = int(line.split()[1])
                if random.random() < 0.1:
                    time.sleep(random.uniform(0, 0.05))
                    break
        os.kill(run.pid, signal.SIGKILL)
    assert run.returncode in (-signal.SIGKILL, 0)
    return epoch


class Killed(BaseException):
    """Passes by every `except OSError`, as a kill does."""


@pytest.mark.slow_elsewhere
def test_wherever_the_writing_stops_a_checkpoint_is_valid(tmp_path, monkeypatch):
    model, _ = train(tmp_path / "start", epochs=1)
    places = [(os, "fsync"), (Path, "rename"), (Path, "mkdir"), (shutil, "rmtree")]
    stops = 0
    while True:
        directory = tmp_path / f"stop_{stops}"
        shutil.copytree(tmp_path / "start", directory)
        model = make_model()
        checkpoint = ResumableCheckpoint(directory, {}, keep=1, notify=str)
        checkpoint.set_model(model)
        assert checkpoint.restore(model) == 1
        with monkeypatch.context() as patch:
            kill_at_call(stops, places, patch)
            try:
                checkpoint.on_epoch_end(1, {"loss": 1.0})
                break
            except Killed:
                stops += 1
        told = []
        again = ResumableCheckpoint(directory, {}, keep=1, notify=told.append)
        assert again.restore(make_model()) in (1, 2)
        assert told[0].startswith("Training goes on")  # the newest one is complete
        again.set_model(model)
        again.on_epoch_end(2, {"loss": 1.0})
        assert len(names(directory)) == 1  # nothing half-written stays

    assert stops >= 8


def kill_at_call(number, places, patch):
    calls = []

    def killing(function):
        def call(*args, **kwargs):
            if len(calls) == number:
                raise Killed
            calls.append(function)
            return function(*args, **kwargs)

        return call

    for owner, name in places:
        patch.setattr(owner, name, killing(getattr(owner, name)))


# ----------------------------------------------------------- starting anew


@pytest.mark.slow_elsewhere
def test_nothing_to_restore(tmp_path):
    told = []
    checkpoint = ResumableCheckpoint(tmp_path / "new", {}, notify=told.append)

    assert checkpoint.restore(make_model()) == 0
    assert told == []
    assert not (tmp_path / "new").exists()


@pytest.mark.slow_elsewhere
def test_other_settings_start_anew(tmp_path):
    train(tmp_path, epochs=3, settings={"batch_size": 2, "seed": 1})
    told = []
    fresh = make_model()

    model, checkpoint = train(
        tmp_path, 1, settings={"batch_size": 8, "seed": 1}, notify=told.append
    )

    (notice,) = told
    assert "starts anew" in notice
    assert "settings.batch_size was 2, now 8" in notice
    assert "seed" not in notice
    assert len(checkpoint.history["loss"]) == 1
    assert names(tmp_path) == ["checkpoint_000004"]  # the old run's are gone
    assert train(tmp_path, 1, settings={"batch_size": 8, "seed": 1})[1].history
    assert len(fresh.weights) == len(model.weights)


@pytest.mark.slow_elsewhere
def test_another_model_starts_anew(tmp_path):
    train(tmp_path, epochs=1)
    told = []
    checkpoint = ResumableCheckpoint(tmp_path, {}, notify=told.append)
    wider = make_model(width=7)
    before = wider.get_weights()

    assert checkpoint.restore(wider) == 0
    assert "units was 5, now 7" in told[0]
    for one, other in zip(wider.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow_elsewhere
def test_a_finished_run_starts_anew(tmp_path):
    _, checkpoint = train(tmp_path, epochs=1)
    checkpoint.finish()
    told = []

    again = ResumableCheckpoint(tmp_path, {}, notify=told.append)

    assert again.restore(make_model()) == 0
    assert "is finished" in told[0]


@pytest.mark.slow_elsewhere
def test_the_newest_run_counts_though_it_is_shorter(tmp_path):
    _, checkpoint = train(tmp_path, epochs=4)
    checkpoint.finish()
    train(tmp_path, epochs=1)

    again = ResumableCheckpoint(tmp_path, {}, notify=str)

    assert again.restore(make_model()) == 1


# ----------------------------------------------------------------- damage


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def pickled(path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(path.parent / "executed"),))

    np.savez(path, np.array([Evil()], dtype=object))


@pytest.mark.slow_elsewhere
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path):
    train(tmp_path / "good", epochs=3)
    two, _ = train(tmp_path / "two", epochs=2)
    damages = [
        ("variables.npz", cut),
        ("variables.npz", flip),
        ("variables.npz", pickled),
        ("variables.npz", Path.unlink),
        ("variables.npz", lambda path: path.write_bytes(b"")),
        ("checkpoint.json", cut),
        ("checkpoint.json", lambda path: path.write_text("{}")),
        ("checkpoint.json", lambda path: path.write_bytes(b"\xff\xfe")),
    ]
    for number, (name, damage) in enumerate(damages):
        directory = tmp_path / f"damaged_{number}"
        shutil.copytree(tmp_path / "good", directory)
        damage(directory / "checkpoint_000003" / name)
        told = []
        checkpoint = ResumableCheckpoint(directory, {}, notify=told.append)
        model = make_model()

        assert checkpoint.restore(model) == 2
        assert_same_state(model, two)
        assert "cannot be read" in told[0]
        assert "goes on after epoch 2" in told[1]
        assert not (directory / "checkpoint_000003" / "executed").exists()
        checkpoint.set_model(model)
        checkpoint.on_epoch_end(2, {"loss": 1.0})
        assert names(directory) == ["checkpoint_000002", "checkpoint_000004"]


@pytest.mark.slow_elsewhere
def test_nothing_readable_starts_anew_with_the_model_untouched(tmp_path):
    train(tmp_path, epochs=2)
    for folder in tmp_path.iterdir():
        flip(folder / "variables.npz")
    told = []
    model = make_model()
    before = model.get_weights()

    start = ResumableCheckpoint(tmp_path, {}, notify=told.append).restore(model)

    assert start == 0
    assert told[-1] == "Training starts anew: no checkpoint can be read."
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow_elsewhere
def test_a_full_disk_is_told_and_leaves_the_checkpoint_before(tmp_path):
    model, checkpoint = train(tmp_path, epochs=1)

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # bytes in one file
    try:
        with pytest.raises(OSError, match="after epoch 2 could not be written") as told:
            checkpoint.on_epoch_end(1, {"loss": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    assert told.value.filename == str(tmp_path / "checkpoint_000002")
    assert names(tmp_path) == ["checkpoint_000001"]
    again = make_model()
    assert ResumableCheckpoint(tmp_path, {}, notify=str).restore(again) == 1
    assert_same_state(again, model)


@pytest.mark.slow_elsewhere
def test_a_directory_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("mine")

    with pytest.raises(OSError, match="after epoch 1 could not be written"):
        train(tmp_path / "file", epochs=1)

    assert (tmp_path / "file").read_text() == "mine"


# -------------------------------------------------------------- precision


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_every_dtype_comes_back(tmp_path, policy):
    def small():
        dense = keras.layers.Dense(3, dtype=policy)
        model = keras.Sequential([keras.Input((4,)), dense])
        optimizer = keras.optimizers.Adam(0.1)
        if policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        model.compile(optimizer, "mse")
        return model

    saved, _ = train(tmp_path, epochs=2, model=small())
    restored = small()

    assert ResumableCheckpoint(tmp_path, {}, notify=str).restore(restored) == 2
    assert_same_state(restored, saved)


# ----------------------------------------------------------------- errors


@pytest.mark.slow_elsewhere
def test_what_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`keep` must be at least 1"):
        ResumableCheckpoint(tmp_path, {}, keep=0)
    with pytest.raises(TypeError, match="`settings` must hold JSON values only"):
        ResumableCheckpoint(tmp_path, {"rng": np.random.default_rng(0)})
    checkpoint = ResumableCheckpoint(tmp_path, {})
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="must be built before `restore`"):
        checkpoint.restore(unbuilt)
    with pytest.raises(ValueError, match="must be compiled before `restore`"):
        checkpoint.restore(keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]))
    model = make_model()
    with pytest.raises(ValueError, match=r"`restore\(model\)` must be called before"):
        model.fit(np.ones((2, 4)), np.ones((2, 1)), callbacks=[checkpoint], verbose=0)
