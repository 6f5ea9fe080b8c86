"""Models of ours from the files of others: configuration, names, weights."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from keras_lm.layers.gelu_tanh import gelu_tanh
from keras_lm.models.read_tensors import read_tensors

# Hugging Face's names; Keras' "gelu" is the exact one.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_LEAVES = {"kernel": "weight", "embeddings": "weight"}
_LEAVES |= {"gamma": "weight", "beta": "bias", "bias": "bias"}
# Norms of checkpoints that were once TensorFlow's.
_OLD_LEAVES = {"gamma": "gamma", "beta": "beta"}


class Layout(NamedTuple):
    """How one family writes its models.

    Args:
        arguments: function of the dictionary in `config.json`, to the arguments of our
            constructor.
        layers: `{our layer's path: their name}`; `{i}` is the number of a block. Where
            three of ours are side by side in one of theirs, a tuple of its name and
            0, 1 or 2.
        prefix: str. Stands before their names where a model has a head.
        flat: bool. Whether kernels are stored as ours, `(in, out)`, and not turned.
        skips_places: bool. Whether the table of places has rows before ours, of which
            the last are wanted.
    """

    arguments: Callable
    layers: dict
    prefix: str
    flat: bool = False
    skips_places: bool = False


def load_pretrained(model_class, layouts: dict, path, arguments: dict):
    """A model with the weights in a directory as Hugging Face writes it.

    What the family knows nothing of starts afresh: a pooling or an attention's own
    weights that `arguments` ask for.

    Args:
        model_class: of the model.
        layouts: `{model type: Layout}`.
        path: directory with `config.json` and `model.safetensors`.
        arguments: of the constructor, in place of those in `config.json`.

    Returns:
        the model.

    Raises:
        ImportError: safetensors is not installed (the extra `pretrained`).
        OSError: a file is missing or cannot be read.
        ValueError: the files are of an unknown kind, `config.json` leaves something
            out, or a weight is missing or has another shape.
    """
    config = read_config(path)
    kind = config.get("model_type")
    if kind not in layouts:
        raise ValueError(
            f"`model_type` in {Path(path) / 'config.json'} must be one of "
            f"{sorted(layouts)} for a {model_class.__name__}. Received: {kind!r}"
        )
    layout = layouts[kind]
    tensors = read_tensors(path)
    try:
        theirs = layout.arguments(config, tensors)
    except KeyError as error:
        raise ValueError(
            f"{Path(path) / 'config.json'} of a {kind} must say {error}. "
            f"Received: {sorted(config)}"
        ) from error
    model = model_class(**{**theirs, **arguments})
    # All are found before the first is given.
    found = [weight_of(layout, tensors, weight) for weight in model.weights]
    model.set_weights(found)
    return model


def read_config(path) -> dict:
    """What `config.json` in a directory says.

    Args:
        path: directory.

    Returns:
        dictionary.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON of a dictionary.
    """
    file = Path(path) / "config.json"
    text = file.read_text("utf-8")
    try:
        config = json.loads(text)
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise ValueError(f"{file} must hold a JSON object. Received: {text[:50]!r}")
    return config


def weight_of(layout: Layout, tensors: dict, weight) -> np.ndarray:
    """What is given to a weight of the model; what it has, if the family knows none.

    Args:
        layout: of the family.
        tensors: arrays by name.
        weight: a variable.

    Returns:
        array of the variable's shape.

    Raises:
        ValueError: there is none, or it has another shape.
    """
    names, part = names_of(layout, weight.path)
    if not names:
        return keras.ops.convert_to_numpy(weight)
    for name in names:
        if name in tensors:
            break
    else:
        raise ValueError(
            f"The weights must have {names[0]}, for {weight.path} of shape "
            f"{tuple(weight.shape)}. Received: {_near(names[0], tensors)}"
        )
    array = tensors[name]
    if part is not None and array.shape[-1] % 3 == 0:
        array = np.split(array, 3, axis=-1)[part]
    if weight.path.endswith("/kernel") and not layout.flat:
        array = array.T
    if layout.skips_places and "/position_embedding/" in weight.path:
        array = array[-weight.shape[0] :]
    if array.shape != tuple(weight.shape):
        raise ValueError(
            f"{name} must have the shape {tuple(weight.shape)}, of {weight.path}. "
            f"Received: {array.shape}"
        )
    return array


def names_of(layout: Layout, path: str) -> tuple[Sequence[str], int | None]:
    """The names that a weight may have in the family's files, and which part it is.

    Args:
        layout: of the family.
        path: of our weight, the model's name first.

    Returns:
        list of str, the usual one first, none for what the family does not know; and
        0, 1, 2 or `None` for the whole.
    """
    _, layer, leaf = re.fullmatch(r"([^/]+)/(.+)/([^/]+)", path).groups()
    block = re.search(r"_(\d+)", layer)
    number = block[1] if block else ""
    theirs = layout.layers.get(re.sub(r"_\d+", "_{i}", layer, count=1))
    if theirs is None:
        return [], None
    part = None
    if isinstance(theirs, tuple):
        theirs, part = theirs
    theirs = theirs.replace("{i}", number)
    leaves = [_LEAVES[leaf], *filter(None, [_OLD_LEAVES.get(leaf)])]
    prefixes = ("", layout.prefix)
    return [f"{prefix}{theirs}.{one}" for one in leaves for prefix in prefixes], part


def _near(name, tensors):
    """Names that end alike, for the error."""
    last = name.rsplit(".", 2)[-2:]
    near = [one for one in tensors if one.rsplit(".", 2)[-2:] == last]
    return f"{len(tensors)} tensors, among them {sorted(near or tensors)[:3]}"
