"""Training on more than one device, as the backend at hand can."""

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import keras

from keras_lm.backend import data_parallel
from keras_lm.training.average_gradients import AverageGradients
from keras_lm.training.model_parallel import ModelParallel

KINDS = ("none", "data", "model")


class Share(NamedTuple):
    """What of the training this process does.

    Args:
        num_shares: int. Parts that a batch is cut into; its rows must be a multiple.
        rank: int, from 0. Which process this is; the others' files are left alone.
        num_workers: int. How many processes train together.
    """

    num_shares: int = 1
    rank: int = 0
    num_workers: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that saves what is made."""
        return self.rank == 0

    def rows(self, dataset):
        """The rows of each batch that this process trains on.

        Args:
            dataset: `tf.data.Dataset` of arrays, or of tuples or dictionaries of
                arrays, batch axis first. The rows of each batch are a multiple of
                `num_workers`: leave out the last, smaller one.

        Returns:
            `tf.data.Dataset`. The same where one process has all devices.

        Raises:
            tf.errors.InvalidArgumentError: when a batch is taken whose rows are no
                multiple.
        """
        if self.num_workers == 1:
            return dataset
        return data_parallel.own_rows(dataset, self.rank, self.num_workers)

    def callbacks(self) -> list:
        """What `fit` needs beside the callbacks of one's own.

        Returns:
            list of `keras.callbacks.Callback`.
        """
        return [AverageGradients()] if self.num_workers > 1 else []


@contextlib.contextmanager
def distribute(kind: str) -> Iterator[Share]:
    """A model made, compiled and fitted in here is trained on all devices.

    | kind      | JAX                       | TensorFlow       | PyTorch            |
    |-----------|---------------------------|------------------|--------------------|
    | `"none"`  | as without                | as without       | as without         |
    | `"data"`  | `DataParallel` of Keras   | MirroredStrategy | `AverageGradients` |
    | `"model"` | `ModelParallel` of this   | refused          | refused            |

    With "data" each device has the whole model and a part of each batch; with "model"
    a part of each large weight and the whole batch. On JAX and TensorFlow one process
    has all devices. On PyTorch each device has a process, started by `torchrun`, and
    `Share.rows` and `Share.callbacks` do what is left to do.

    Args:
        kind: "none", "data" or "model".

    Returns:
        context manager of `Share`.

    Raises:
        ValueError: `kind` is none of these, the backend cannot do it, or PyTorch has
            one process that torchrun did not start; or torchrun started several for
            another backend or kind, where each would train and save the same.
        ConnectionError: the other processes cannot be reached.

    Example:
        >>> from keras_lm import training
        >>> with training.distribute("none") as share:
        ...     model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        ...     model.compile("adam", "mse")
        ...     history = model.fit(
        ...         ops.ones((8, 3)), ops.ones((8, 2)), verbose=0,
        ...         callbacks=share.callbacks())
        >>> share.num_shares
        1
    """
    backend = keras.backend.backend()
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {KINDS}. Received: kind={kind!r}")
    _check_processes(kind, backend)
    if kind == "none":
        yield Share()
    elif kind == "model":
        with ModelParallel().scope():
            yield Share()
    elif backend == "jax":
        parallel = keras.distribution.DataParallel()
        with parallel.scope():
            yield Share(num_shares=parallel.num_model_replicas)
    elif backend == "tensorflow":
        strategy = data_parallel.mirrored()
        with strategy.scope():
            yield Share(num_shares=strategy.num_replicas_in_sync)
    else:
        rank, num_workers, is_new = _join()
        try:
            yield Share(num_workers, rank, num_workers)
        finally:
            if is_new:  # a group that the caller has made stays
                data_parallel.leave_workers()


def _check_processes(kind, backend):
    if (backend, kind) == ("torch", "data"):
        return
    num_workers = os.environ.get("WORLD_SIZE", "1")
    if num_workers.isdecimal() and int(num_workers) > 1:
        raise ValueError(
            'Processes of torchrun must train together on PyTorch, with kind="data". '
            f"Received: kind={kind!r} on {backend}, and WORLD_SIZE={num_workers}"
        )


def _join():
    joined = data_parallel.join_workers()
    if joined is None:
        raise ValueError(
            "On PyTorch torchrun must start the processes: torchrun --standalone "
            "--nproc-per-node 2, and the program. Received: a process of its own"
        )
    return joined
