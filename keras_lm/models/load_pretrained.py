"""Models of ours from the files of others: configuration, names, weights."""

import json
from pathlib import Path

import keras
import numpy as np

from keras_lm.models.layout import (
    Layout,
    arguments_of,
    is_turned,
    names_of,
    path_of,
)
from keras_lm.models.read_tensors import read_tensors
from keras_lm.models.refuse_left_over import refuse_left_over
from keras_lm.models.special_tokens import kept_settings


def load_pretrained(model_class, layouts: dict, path, options: dict):
    """A model with the weights in a directory as Hugging Face writes it.

    What the family knows nothing of starts afresh: a pooling or an attention's own
    weights that `options` ask for.

    Args:
        model_class: of the model.
        layouts: `{model type: Layout}`.
        path: directory with `config.json` and `model.safetensors`.
        options: arguments of the constructor, in place of those in `config.json`.

    Returns:
        the model.

    Raises:
        ImportError: safetensors is not installed (the extra `pretrained`).
        OSError: a file is missing or cannot be read.
        ValueError: the files are of an unknown kind, `config.json` leaves something
            out, or a weight is missing, has another shape or finds no place.
    """
    config = read_config(path)
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in layouts:
        raise ValueError(
            f"`model_type` in {Path(path) / 'config.json'} must be one of "
            f"{sorted(layouts)} for a {model_class.__name__}. Received: {kind!r}"
        )
    layout = layouts[kind]
    tensors = read_tensors(path)
    try:
        arguments = arguments_of(layout, config, tensors, options)
    except KeyError as error:
        raise ValueError(
            f"{Path(path) / 'config.json'} of a {kind} must say {error}. "
            f"Received: {sorted(config)}"
        ) from error
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"A setting in {Path(path) / 'config.json'} is of a type that a {kind} "
            f"does not have. Received: {error}"
        ) from error
    model = model_class(**arguments)
    unused = layout.unused_places({**layout.defaults, **config})
    # All are found before the first is given.
    found = [weight_of(layout, tensors, weight, unused) for weight in model.weights]
    used = {name_in(layout, tensors, weight) for weight in model.weights} - {None}
    refuse_left_over(layout, tensors, used, options)
    model.set_weights(found)
    for weight in model.weights:
        if path_of(weight.path) in layout.constants:
            weight.trainable = False  # theirs does not learn it
    generation = Path(path) / "generation_config.json"
    model.kept_settings = kept_settings(
        {**layout.defaults, **config},
        _read_json(generation) if generation.is_file() else {},
    )
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
    if not file.is_file():
        has_pipeline = (Path(path) / "pipeline.json").is_file()
        hint = "; `pipelines.load` reads what a pipeline saved" if has_pipeline else ""
        raise FileNotFoundError(
            "`path` must be a directory on this machine with `config.json` (nothing is "
            f"downloaded{hint}). Received: {path}"
        )
    return _read_json(file)


def weight_of(layout: Layout, tensors: dict, weight, unused_places=0) -> np.ndarray:
    """What is given to a weight of the model; what it has, if the family knows none.

    Args:
        layout: of the family.
        tensors: arrays by name.
        weight: a variable.
        unused_places: int. Rows of a table of places that stand before ours.

    Returns:
        array of the variable's shape.

    Raises:
        ValueError: there is none, or it has another shape.
    """
    if path_of(weight.path) in layout.constants:
        return np.full(weight.shape, layout.constants[path_of(weight.path)])
    names, part = names_of(layout, weight.path)
    if not names:
        return keras.ops.convert_to_numpy(weight)
    name = name_in(layout, tensors, weight)
    if name is None:
        raise ValueError(
            f"The weights must have {names[0]}, for {weight.path} of shape "
            f"{tuple(weight.shape)}. Received: {_near(names[0], tensors)}"
        )
    array = _as_ours(layout, tensors[name], weight, part, unused_places)
    if array.shape != tuple(weight.shape):
        raise ValueError(
            f"{name} must have the shape {tuple(weight.shape)}, of {weight.path}. "
            f"Received: {array.shape}"
        )
    return array


def name_in(layout: Layout, tensors: dict, weight) -> str | None:
    """The tensor that is given to a weight of the model.

    Args:
        layout: of the family.
        tensors: arrays by name.
        weight: a variable.

    Returns:
        str, the first of the names that the family has for it; `None` where there is
        none.
    """
    names, _ = names_of(layout, weight.path)
    return next((name for name in names if name in tensors), None)


def _read_json(file):
    content = file.read_bytes()
    try:
        config = json.loads(content)
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise ValueError(f"{file} must hold a JSON object. Received: {content[:50]!r}")
    return config


def _as_ours(layout, array, weight, part, unused_places):
    if not array.ndim:  # a single number, which has no parts
        return array
    if part is not None and array.shape[-1] % 3 == 0:
        array = np.split(array, 3, axis=-1)[part]
    if is_turned(layout, weight.path):
        array = array.T
    if "position_embedding/" in weight.path:
        array = array[unused_places:]
    if array.shape == (1, *weight.shape):  # a bias of logits, of a batch of one
        array = array[0]
    return array


def _near(name, tensors):
    """Names that end alike, for the error."""
    last = name.rsplit(".", 2)[-2:]
    near = [one for one in tensors if one.rsplit(".", 2)[-2:] == last]
    return f"{len(tensors)} tensors, among them {sorted(near or tensors)[:3]}"
