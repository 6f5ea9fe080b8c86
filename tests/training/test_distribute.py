"""distribute: two devices give the losses of one (JAX: see test_model_parallel.py)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_lm.backend import data_parallel
from keras_lm.training import distribute
from keras_lm.training.distribute import Share

ROOT = Path(__file__).parent.parent.parent
BACKEND = keras.backend.backend()
TORCHRUN = "-m torch.distributed.run --standalone --nproc-per-node 2".split()


def run(command, **options):
    """A program that may be killed, in a process of its own, never a warm one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_LM_COLD": "1"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        **options,
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(BACKEND == "jax", reason="see test_model_parallel.py")
def test_two_devices_train_as_one(tmp_path):
    from tests.training.shared_run import train

    command = ["-m", "tests.training.shared_run", "data", str(tmp_path / "told")]
    done = run([*TORCHRUN, *command] if BACKEND == "torch" else command)

    assert done.returncode == 0, done.stderr
    told = [json.loads(path.read_text()) for path in sorted(tmp_path.iterdir())]
    assert len(told) == (2 if BACKEND == "torch" else 1)
    _, one = train("none", dropout=0.0)
    assert all(worker["shares"] == 2 for worker in told)
    # A worker tells the loss of its own rows.
    losses = np.mean([worker["loss"] for worker in told], axis=0)
    np.testing.assert_allclose(losses, one["loss"], rtol=1e-6)
    for worker in told:
        np.testing.assert_allclose(worker["sums"], one["sums"], rtol=1e-5)


@pytest.mark.once
def test_the_workers_share_the_rows_of_a_batch():
    ids, weights = np.arange(6).reshape(6, 1), np.arange(6.0)
    dataset = tf.data.Dataset.from_tensor_slices((ids, weights)).batch(6)

    for rank, expected in ((0, [0, 2, 4]), (1, [1, 3, 5])):
        share = Share(num_shares=2, rank=rank, num_workers=2)
        ((rows, row_weights),) = share.rows(dataset).as_numpy_iterator()
        assert rows[:, 0].tolist() == row_weights.tolist() == expected
        assert share.leads == (rank == 0)
        assert len(share.callbacks()) == 1
    assert Share().rows(dataset) is dataset
    assert Share().callbacks() == []


@pytest.mark.once
def test_rows_of_dictionaries_and_of_arrays_alone_are_shared():
    share = Share(num_shares=2, rank=1, num_workers=2)
    inputs = {"文": np.arange(4), "mask": np.ones((4, 1))}
    named = tf.data.Dataset.from_tensor_slices((inputs, np.arange(4))).batch(4)
    alone = tf.data.Dataset.range(4).batch(4)

    ((rows, labels),) = share.rows(named).as_numpy_iterator()
    (numbers,) = share.rows(alone).as_numpy_iterator()

    assert rows["文"].tolist() == labels.tolist() == numbers.tolist() == [1, 3]
    assert rows["mask"].shape == (2, 1)


@pytest.mark.once
def test_rows_that_do_not_come_out_even_are_refused():
    dataset = tf.data.Dataset.range(9).batch(4)
    batches = Share(2, 1, 2).rows(dataset).as_numpy_iterator()

    assert [next(batches).tolist() for _ in range(2)] == [[1, 3], [5, 7]]
    told = "The rows of each batch must be a multiple of the workers, 2"
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        next(batches)


@pytest.mark.parametrize("kind", ["none", "data"])
def test_processes_that_would_all_save_the_same_are_refused(kind, monkeypatch):
    if (BACKEND, kind) == ("torch", "data"):
        pytest.skip("this is what they are for")
    monkeypatch.setenv("WORLD_SIZE", "2")
    told = f"must train together on PyTorch, .* kind='{kind}' on {BACKEND}, and WORLD"
    with pytest.raises(ValueError, match=told), distribute(kind):
        pass


@pytest.mark.skipif(BACKEND != "torch", reason="a group of processes is PyTorch's")
def test_the_group_is_left_by_who_made_it(monkeypatch, tmp_path):
    import torch.distributed as dist

    def join(name):
        store = dist.FileStore(str(tmp_path / name), 1)
        dist.init_process_group(name, store=store, rank=0, world_size=1)

    monkeypatch.setenv("RANK", "0")
    join("gloo")
    try:
        with distribute("data") as share:
            assert share == Share(1, 0, 1)
        assert dist.is_initialized()
    finally:
        dist.destroy_process_group()

    made = []
    monkeypatch.setattr(dist, "init_process_group", made.append)
    monkeypatch.setattr(dist, "get_rank", lambda: 0)
    monkeypatch.setattr(dist, "get_world_size", lambda: 1)
    monkeypatch.setattr(data_parallel, "leave_workers", lambda: made.append("left"))
    with distribute("data"):
        assert made == ["gloo"]
    assert made == ["gloo", "left"]


def test_kinds_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="`kind` must be one of"), distribute("pipe"):
        pass
    if BACKEND != "jax":
        told = "on JAX only"
        with pytest.raises(ValueError, match=told), distribute("model"):
            pass
    if BACKEND == "torch":
        told = "torchrun must start the processes"
        with pytest.raises(ValueError, match=told), distribute("data"):
            pass
