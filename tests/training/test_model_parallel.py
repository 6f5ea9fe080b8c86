"""ModelParallel, on 8 virtual devices: the losses of one, a part of its bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from keras_lm.training import ModelParallel

ROOT = Path(__file__).parent.parent.parent
ON_JAX = keras.backend.backend() == "jax"


def run(model, *ways):
    """What `sharded_run` prints of a model, by the way it was trained in."""
    command = [sys.executable, "-m", "tests.training.sharded_run"]
    flags = os.environ.get("XLA_FLAGS", "")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count=8",
    }
    done = subprocess.run(
        [*command, model, ",".join(ways)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    assert "donated" not in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line[0] == "{"]
    return {line["way"]: line for line in lines}


def assert_same_training(told):
    one = told["one"]
    for other in told.values():
        assert other["losses"] == pytest.approx(one["losses"], rel=2e-6)
        if "perplexities" in other:
            perplexities = pytest.approx(one["perplexities"], rel=1e-5)
            assert other["perplexities"] == perplexities
        assert other.get("generated") in (None, one.get("generated"))


def assert_bytes(way, one, num_parts, whole):
    """Each device holds all of what is whole, and its part of the rest."""
    expected = whole + (one["weights"][0] - whole) / num_parts
    assert way["weights"] == [expected] * 8
    # Adam's two moments of each weight; beside them, steps and rates.
    assert (
        way["optimizer"][0] - 2 * expected
        == one["optimizer"][0] - 2 * (one["weights"][0])
    )
    assert len(set(way["optimizer"])) == 1


@pytest.mark.once
def test_a_decoder_trains_as_on_one_device_and_takes_less_memory():
    told = run("decoder", "one", "both")

    assert_same_training(told)
    # Of one block of width 32, whole: 3 norms, and 2 biases behind rows.
    assert_bytes(told["both"], told["one"], num_parts=4, whole=(3 * 2 + 2) * 32 * 4)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.timeout(1800)
def test_a_decoder_in_every_way_and_from_one_to_another():
    told = run("decoder", "one+", "data", "model+", "both", "resumed")

    assert_same_training(told)
    assert told["data"]["weights"] == told["one"]["weights"] * 8
    assert_bytes(told["model"], told["one"], num_parts=8, whole=(3 * 2 + 2) * 32 * 4)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "model", ["uneven_decoder", "local_decoder", "encoder", "encoder_decoder"]
)
def test_other_models_train_as_on_one_device(model):
    told = run(model, "one", "data", "model", "both")

    assert_same_training(told)
    for way in ("model", "both"):
        for kind in ("weights", "optimizer"):
            assert 1.3 * told[way][kind][0] < told["one"][kind][0]


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.timeout(1800)
def test_of_an_lstm_the_tokens_are_split():
    told = run("lstm", "one", "data", "model", "both")

    assert_same_training(told)
    whole = told["one"]["weights"][0] - 96 * 16 * 4  # tokens x width x bytes
    assert_bytes(told["model"], told["one"], num_parts=8, whole=whole)
    assert_bytes(told["both"], told["one"], num_parts=4, whole=whole)


@pytest.mark.skipif(not ON_JAX, reason="JAX only")
def test_parts_that_do_not_fit_the_devices_are_refused():
    with pytest.raises(ValueError, match="`num_parts` must divide the number of dev"):
        ModelParallel(num_parts=3, devices=["cpu:0", "cpu:1"])


@pytest.mark.skipif(ON_JAX, reason="all others")
def test_another_backend_is_refused():
    with pytest.raises(ValueError, match="on JAX only"):
        ModelParallel()
