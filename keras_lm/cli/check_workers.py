"""Whether the processes that torchrun started can train together."""

import os


def check_alone() -> None:
    """Refuses the workers of torchrun where each would train, and save, alone.

    Raises:
        ValueError: there are several.
    """
    if _num_workers() > 1:
        raise ValueError(
            "This command is one process: of several each would write the same files. "
            f"Received: WORLD_SIZE={_num_workers()}, of torchrun"
        )


def check_workers(distribute: str) -> None:
    """Refuses a way to share the training that the backend or the workers have not.

    Keras is imported only where its settings file must name the backend.

    Args:
        distribute: "none", "data" or "model".

    Raises:
        ValueError: the backend cannot do it, or torchrun started too many or nothing.
    """
    if distribute == "none":
        if _num_workers() > 1:
            raise ValueError(
                "Workers that torchrun starts must be told --distribute data, or each "
                "trains alone. Received: --distribute none"
            )
        return
    backend = os.environ.get("KERAS_BACKEND") or _default_backend()
    if distribute == "model" and backend != "jax":
        raise ValueError(
            f"`--distribute model` takes JAX. Received: KERAS_BACKEND={backend}"
        )
    if backend != "torch" and _num_workers() > 1:
        raise ValueError(
            "The workers of torchrun must have KERAS_BACKEND=torch: elsewhere one "
            f"process has all devices. Received: {_num_workers()} workers with "
            f"KERAS_BACKEND={backend}"
        )
    if backend == "torch" and "RANK" not in os.environ:
        raise ValueError(
            "On PyTorch torchrun must start the workers: torchrun --standalone "
            "--nproc-per-node 2 -m keras_lm train .. --distribute data. Received: a "
            "process of its own"
        )


def _num_workers():
    return int(os.environ.get("WORLD_SIZE", "1"))


def _default_backend():
    import keras

    return keras.backend.backend()
