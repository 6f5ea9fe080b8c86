"""One model trained on several devices at once: TensorFlow's strategy, PyTorch's group.

JAX needs none of this: there Keras distributes. Each function imports what it needs.
"""

import re

# What torch's messages say when a process cannot be reached any more.
_LOST = re.compile(r"gloo|nccl|network|connect|socket|timed? ?out", re.IGNORECASE)


def mirrored():
    """TensorFlow: copies of a model on all devices of the best kind.

    Returns:
        `tf.distribute.MirroredStrategy`.
    """
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def join_workers():
    """PyTorch: joins the processes that `torchrun` started, if it has not yet.

    With CUDA each takes the GPU of its number on this machine.

    Returns:
        `(rank, num_workers, is_new)`: ints, and a bool: whether they were joined only
        now, to be left by `leave_workers`. `None` where `torchrun` started nothing.

    Raises:
        ConnectionError: the others cannot be reached.
    """
    import os

    import torch.distributed as dist

    if not dist.is_available() or "RANK" not in os.environ:
        return None
    is_new = not dist.is_initialized()
    if is_new:
        import torch

        on_gpu = torch.cuda.is_available()
        if on_gpu:  # else all would take the first
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        with _told():
            dist.init_process_group("nccl" if on_gpu else "gloo")
    return dist.get_rank(), dist.get_world_size(), is_new


def own_rows(dataset, rank, num_workers):
    """PyTorch: of each batch every `num_workers`-th row, from `rank` on.

    Args:
        dataset: `tf.data.Dataset` of arrays, or of tuples or dictionaries of arrays.
        rank: int.
        num_workers: int.

    Returns:
        `tf.data.Dataset`.

    Raises:
        tf.errors.InvalidArgumentError: when a batch is taken whose rows are no multiple
            of `num_workers`.
    """
    import tensorflow as tf

    def own(array):
        tf.debugging.assert_equal(
            tf.shape(array)[0] % num_workers,
            0,
            "The rows of each batch must be a multiple of the workers, "
            f"{num_workers}: drop the remainder when batches are made",
        )
        return array[rank::num_workers]

    def own_of_all(*batch):
        return tf.nest.map_structure(own, batch if len(batch) > 1 else batch[0])

    return dataset.map(own_of_all)


def leave_workers():
    """PyTorch: leaves the group that `join_workers` joined."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def copy_from_first(variables):
    """PyTorch: gives variables the values that they have in the first process.

    Args:
        variables: list of `keras.Variable`.

    Raises:
        ConnectionError: another process has ended.
    """
    import torch.distributed as dist

    with _told():
        for variable in variables:
            dist.broadcast(variable.value.data, src=0)


def average_gradients(variables):
    """PyTorch: from now on each gradient is the mean over the processes.

    The mean is taken as soon as the backward pass has made the gradient. All processes
    must make gradients for the same variables, in the same order.

    Args:
        variables: list of trainable `keras.Variable`.

    Returns:
        list of handles with `remove`, to end it.

    Raises:
        ConnectionError: when the backward pass runs and another process has ended.
    """
    import torch.distributed as dist

    num_workers = dist.get_world_size()

    def average(parameter):
        with _told():
            dist.all_reduce(parameter.grad)
        parameter.grad /= num_workers

    return [
        variable.value.register_post_accumulate_grad_hook(average)
        for variable in variables
    ]


class _told:  # noqa: N801 (used as a function)
    """Tells in our words that a process has ended; gloo names sockets and lines."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        # Out of memory, too, is a RuntimeError; it stays what it is.
        if isinstance(error, RuntimeError) and _LOST.search(str(error)):
            raise ConnectionError(
                "All workers must go on: one of them has ended, and so does training. "
                "Start it again, and it goes on from its last checkpoint. Received: "
                f"{str(error).splitlines()[0]}"
            ) from error
