"""Models of ours in the files of others: the way back of `load_pretrained`."""

import inspect
import json

import keras
import numpy as np

from keras_lm.files import complete_folder
from keras_lm.layers.arguments import check_choice
from keras_lm.models.layout import (
    Layout,
    arguments_of,
    config_of,
    is_turned,
    names_of,
    path_of,
)
from keras_lm.models.read_tensors import ONE, import_safetensors
from keras_lm.models.special_tokens import special_tokens

# What is no part of what the model computes from given weights.
_FREE = {"dropout", "seed", "pooling", "logits_bias", "kwargs"}
_FREE_OF_LAYERS = {"name", "trainable", "dtype", "dropout", "seed"}


def save_pretrained(
    model,
    layouts: dict,
    path,
    tokenizer=None,
    kind=None,
    overwrite=False,
    given=None,
) -> None:
    """Writes a model as one of the families does, complete or not at all.

    Args:
        model: of ours.
        layouts: `{model type: Layout}`.
        path: directory.
        tokenizer: has `FILE_SUFFIX` and `save`; or `None`.
        kind: model type; the first one that can express the model when `None`.
        overwrite: bool. Whether a directory that is there may be replaced.
        given: ids of special tokens that come before those known; or `None`.

    Raises:
        FileExistsError: it exists, and `overwrite` is false.
        ImportError: safetensors is not installed (the extra `pretrained`).
        OSError: it cannot be written.
        ValueError: no family can express the model, the tokenizer has more tokens, or
            a name in `given` is none of an id.
    """
    if tokenizer is not None and tokenizer.vocabulary_size > model.vocabulary_size:
        raise ValueError(
            "The tokenizer must have no more tokens than the model. Received: "
            f"{tokenizer.vocabulary_size} and {model.vocabulary_size}"
        )
    numpy_files = import_safetensors().numpy
    ids, generation = special_tokens(model, tokenizer, given)
    kind, config = _choose(model, layouts, kind, ids)
    tensors = tensors_of(layouts[kind], model, layouts[kind].unused_places(config))
    with complete_folder(path, overwrite) as folder:
        for name, about in (("config", config), ("generation_config", generation)):
            if about:
                text = json.dumps(about, indent=2)
                (folder / f"{name}.json").write_text(text + "\n", "utf-8")
        numpy_files.save_file(tensors, folder / ONE, metadata={"format": "pt"})
        if tokenizer is not None:
            tokenizer.save(folder / f"tokenizer{tokenizer.FILE_SUFFIX}")


def tensors_of(layout: Layout, model, unused_places=0) -> dict[str, np.ndarray]:
    """The weights of a model under the names of a family.

    Args:
        layout: of the family.
        model: of ours, which the family can express.
        unused_places: int. Rows of zeros before the table of places.

    Returns:
        dictionary of float32 arrays.
    """
    parts = {}
    layout = layout._replace(layers=layout.layers | layout.renamed(model))
    for weight in model.weights:
        names, part = names_of(layout, weight.path)
        if not names:  # it is the same in all models of the family
            continue
        array = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
        if "position_embedding/" in weight.path:
            array = np.pad(array, ((unused_places, 0), (0, 0)))
        if is_turned(layout, weight.path):
            array = array.T
        if path_of(weight.path) == "logits_bias":
            array = array[None]  # of a batch of one
        parts.setdefault(names[0], {})[part or 0] = array
    return {
        name: np.ascontiguousarray(
            np.concatenate([arrays[part] for part in sorted(arrays)], axis=-1)
        )
        for name, arrays in parts.items()
    }


def _choose(model, layouts, kind, known):
    if kind is not None:
        check_choice("model_type", kind, sorted(layouts))
    refusals = []
    for one in layouts if kind is None else [kind]:
        try:
            return one, _config(layouts[one], model, {"model_type": one, **known})
        except ValueError as error:
            refusals.append(f"{one}: {error}")
    raise ValueError(
        f"The model must be one that a family can express ({', '.join(layouts)}). "
        "Received: " + "; ".join(refusals)
    )


def _config(layout, model, known):
    """The family's settings, if the model has no other than they can say."""
    config = config_of(layout, model, known)
    wanted = arguments_of(layout, config, {}, {})
    for name, parameter in inspect.signature(type(model).__init__).parameters.items():
        if name == "self" or name in _FREE:
            continue
        want, found = wanted.get(name, parameter.default), getattr(model, name)
        if _meant(model, name, want) != _meant(model, name, found):
            raise ValueError(f"`{name}` must be {want!r}, not {found!r}")
    for weight in model.weights:
        _check_place(layout, weight)
    return config


def _check_place(layout, weight):
    path = path_of(weight.path)
    if path in layout.constants:
        found = float(keras.ops.convert_to_numpy(weight))
        if found != layout.constants[path]:
            raise ValueError(f"`{path}` must be {layout.constants[path]}, not {found}")
    elif not names_of(layout, weight.path)[0]:
        raise ValueError(f"it has no place for {weight.path}")


def _meant(model, name, value):
    """What an argument stands for, to be compared."""
    if name == "activation":
        return keras.activations.get(value)
    if name == "num_key_value_heads":
        return value or model.num_heads
    if name == "source_vocabulary_size":
        return value or model.vocabulary_size
    if isinstance(value, (list, tuple)):
        return [_meant(model, name, one) for one in value]
    if not isinstance(value, keras.layers.Layer):
        return value
    config = value.get_config()
    settings = {key: config[key] for key in config.keys() - _FREE_OF_LAYERS}
    return type(value).__name__, settings
