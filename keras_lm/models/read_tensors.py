"""The weights in a directory as Hugging Face writes it."""

import json
from pathlib import Path

import numpy as np

ONE, INDEX = "model.safetensors", "model.safetensors.index.json"
# NumPy has no bfloat16 of its own: it is the upper half of a float32.
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def read_tensors(directory) -> dict[str, np.ndarray]:
    """All weights of a directory by name; nothing in the files is executed.

    Args:
        directory: path. Holds `model.safetensors`, or `model.safetensors.index.json`
            with the files that it names. Pickled weights are not read.

    Returns:
        dictionary of float32 arrays. Tensors of whole numbers are left out: they are
        no weights.

    Raises:
        ImportError: safetensors is not installed (the extra `pretrained`).
        OSError: a file is missing or cannot be read.
        ValueError: a file is cut off, or none of this format.

    Source: https://github.com/huggingface/safetensors, "Format".
    """
    tensors = {}
    for path in _files(Path(directory)):
        for name, about in _deserialize(path):
            kind = about["dtype"]
            if kind in _DTYPES:
                numbers = np.frombuffer(about["data"], _DTYPES[kind])
                if kind == "BF16":
                    numbers = (numbers.astype("uint32") << 16).view("float32")
                numbers = numbers.reshape(about["shape"])
                tensors[name] = numbers.astype("float32")
    return tensors


def _files(directory):
    if (directory / ONE).exists():
        return [directory / ONE]
    if not (directory / INDEX).exists():
        found = "no directory"
        if directory.is_dir():
            found = sorted(path.name for path in directory.iterdir())
        raise FileNotFoundError(
            f"{directory} must hold {ONE} (pickled weights are not read: they may run "
            f"code). Received: {found}"
        )
    content = (directory / INDEX).read_bytes()
    try:
        files = sorted(set(json.loads(content)["weight_map"].values()))
        beside = bool(files) and all(Path(file).name == file for file in files)
    except (AttributeError, KeyError, TypeError, ValueError):
        beside = False
    if not beside:
        raise ValueError(
            f"{directory / INDEX} must name files beside it, in its weight_map. "
            f"Received: {content[:200]!r}"
        )
    return [directory / file for file in files]


def import_safetensors():
    """The package that reads and writes the format.

    Returns:
        module.

    Raises:
        ImportError: it is not installed (the extra `pretrained`).
    """
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Pretrained weights need the extra `pretrained`: pip install "
            "'keras-lm[pretrained]'. Received: an installation without safetensors"
        ) from error
    return safetensors


def _deserialize(path):
    safetensors = import_safetensors()
    content = path.read_bytes()
    try:
        return safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{path} must be a whole .safetensors file. "
            f"Received: {len(content)} bytes ({error})"
        ) from error
