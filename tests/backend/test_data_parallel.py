"""data_parallel: the mean over processes, and what is told when one has ended."""

import os

import keras
import numpy as np
import pytest

from keras_lm.backend import data_parallel

if keras.backend.backend() != "torch":
    pytest.skip("PyTorch only", allow_module_level=True)

import torch
import torch.distributed as dist


@pytest.fixture
def variable():
    return keras.Variable(np.array([1.0, 2.0], "float32"))


def gradient(variable):
    variable.value.grad = None
    (variable.value * torch.tensor([3.0, 5.0])).sum().backward()
    return variable.value.grad.tolist()


def test_a_gradient_is_the_mean_over_the_processes(variable, monkeypatch):
    # The other process's gradient is 1: (3 + 1) / 2 and (5 + 1) / 2.
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", lambda array: array.add_(1.0))

    handles = data_parallel.average_gradients([variable])

    assert gradient(variable) == [2.0, 3.0]
    for handle in handles:
        handle.remove()
    assert gradient(variable) == [3.0, 5.0]


def test_a_process_that_has_ended_is_told(variable, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("[../gloo/pair.cc:534] Connection closed by peer\nmore")

    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    for name in ("all_reduce", "broadcast"):
        monkeypatch.setattr(dist, name, fail)
    data_parallel.average_gradients([variable])

    told = "All workers must go on: one of them has ended.*Connection closed by peer$"
    with pytest.raises(ConnectionError, match=told):
        gradient(variable)
    with pytest.raises(ConnectionError, match=told):
        data_parallel.copy_from_first([variable])


def test_an_error_of_another_kind_stays_as_it_is(variable, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(dist, "broadcast", fail)

    with pytest.raises(torch.OutOfMemoryError, match="^CUDA out of memory"):
        data_parallel.copy_from_first([variable])


def test_each_process_takes_its_own_gpu(monkeypatch):
    calls = []
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda n: calls.append(n))
    monkeypatch.setattr(dist, "init_process_group", lambda name: calls.append(name))
    monkeypatch.setattr(dist, "get_rank", lambda: 5)
    monkeypatch.setattr(dist, "get_world_size", lambda: 8)

    assert data_parallel.join_workers() == (5, 8, True)
    assert calls == [1, "nccl"]


def test_a_process_of_its_own_joins_nothing():
    assert "RANK" not in os.environ
    assert data_parallel.join_workers() is None
