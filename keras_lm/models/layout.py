"""How a family of pretrained models writes its settings and weights."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras

from keras_lm.layers.gelu_tanh import gelu_tanh

# Hugging Face's names; Keras' "gelu" is the exact one.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
# Arguments of ours that are no counts.
_NO_NUMBERS = {"activation", "tie_embeddings", "scale_embeddings"}
_FRACTIONS = {"dropout", "epsilon"}
_LEAVES = {"kernel": "weight", "embeddings": "weight", "reverse_embeddings": "weight"}
_LEAVES |= {"gamma": "weight", "beta": "bias", "bias": "bias", "scale": "weight"}
# Norms of checkpoints that were once TensorFlow's.
_OLD_LEAVES = {"gamma": "gamma", "beta": "beta"}


class Layout(NamedTuple):
    """How one family writes its models.

    Args:
        layers: `{our layer's path: their name}`; `{i}` is the number of a block. Where
            three of ours are side by side in one of theirs, a tuple of its name and
            0, 1 or 2; where it has two names, a list. The path of a weight itself
            stands for a whole name, without a prefix.
        prefixes: tuple of str. What may stand before their names, the usual one first.
        architecture: str. Their class that has all of these weights.
        settings: `{our constructor's argument: its name in config.json}`.
        ours: `{our argument: its value}`, where all models of the family have one.
        theirs: `{their setting: allowed values}`; the first one is written.
        defaults: `{their setting: its value where config.json leaves it out}`.
        read: function of `config.json`, the tensors and our arguments up to here, to
            further arguments of ours.
        write: function of our model and `config.json` up to here, to further settings
            of theirs.
        constants: `{our weight's path: number}`, where theirs is not written.
        renamed: function of our model, to `{our layer's path: its name in what is
            written}`, where that depends on the model.
        unused_places: function of `config.json`, to the number of rows that their
            table of places has before ours.
        flat: bool. Whether kernels are stored as ours, `(in, out)`, and not turned.
    """

    layers: dict
    prefixes: tuple[str, ...]
    architecture: str
    settings: dict
    ours: dict = {}
    theirs: dict = {}
    defaults: dict = {}
    read: Callable = lambda config, tensors, arguments: {}
    write: Callable = lambda model, config: {}
    constants: dict = {}
    renamed: Callable = lambda model: {}
    unused_places: Callable = lambda config: 0
    flat: bool = False


def arguments_of(layout: Layout, config: dict, tensors: dict, options: dict) -> dict:
    """The arguments of our constructor for a model of the family.

    Args:
        layout: of the family.
        config: of `config.json`.
        tensors: arrays by name.
        options: arguments that come before those of the files.

    Returns:
        dictionary.

    Raises:
        KeyError: `config` leaves a setting out.
        ValueError: the model is of a kind that ours is not, or a size is no number.
    """
    config = {**layout.defaults, **config}
    for name, allowed in layout.theirs.items():
        if config.get(name) not in allowed:
            raise ValueError(
                f"`{name}` in config.json must be {allowed[0]!r}. "
                f"Received: {config[name]!r}"
            )
    arguments = {ours: config[theirs] for ours, theirs in layout.settings.items()}
    for ours, value in arguments.items():
        if ours not in options:
            _check_number(layout, ours, value)
    if "activation" in arguments:
        arguments["activation"] = _activation(arguments["activation"])
    arguments |= {**layout.ours, **options}
    return {**arguments, **layout.read(config, tensors, arguments), **options}


def config_of(layout: Layout, model, known: dict) -> dict:
    """What `config.json` says of a model of ours, if it is one of the family.

    Args:
        layout: of the family.
        model: of ours.
        known: settings of theirs that come from elsewhere.

    Returns:
        dictionary.

    Raises:
        ValueError: its activation has no name there.
    """
    config = {name: allowed[0] for name, allowed in layout.theirs.items()} | known
    for ours, theirs in layout.settings.items():
        value = getattr(model, ours)
        config[theirs] = _name_of(value) if ours == "activation" else value
    config |= layout.write(model, config)
    return {"architectures": [layout.architecture], **config}


def names_of(layout: Layout, path: str) -> tuple[Sequence[str], int | None]:
    """The names that a weight may have in the family's files, and which part it is.

    Args:
        layout: of the family.
        path: of our weight, the model's name first.

    Returns:
        list of str, the usual one first, none for what the family does not know; and
        0, 1, 2 or `None` for the whole.
    """
    path = path_of(path)
    if path in layout.layers:
        return [layout.layers[path]], None
    layer, _, leaf = path.rpartition("/")
    block = re.search(r"_(\d+)", layer)
    theirs = layout.layers.get(re.sub(r"_\d+", "_{i}", layer, count=1))
    if theirs is None or leaf not in _LEAVES:
        return [], None
    theirs, part = theirs if isinstance(theirs, tuple) else (theirs, None)
    leaves = [_LEAVES[leaf], *filter(None, [_OLD_LEAVES.get(leaf)])]
    names = [
        f"{prefix}{one}.{leaf}".replace("{i}", block[1] if block else "")
        for one in ([theirs] if isinstance(theirs, str) else theirs)
        for leaf in leaves
        for prefix in layout.prefixes
    ]
    return names, part


def path_of(path: str) -> str:
    """The path of a weight without the model's name.

    Args:
        path: of our weight, the model's name first.

    Returns:
        str.
    """
    return path.partition("/")[2]


def is_turned(layout: Layout, path: str) -> bool:
    """Whether theirs is the transpose of ours.

    Args:
        layout: of the family.
        path: of our weight.

    Returns:
        bool.
    """
    is_kernel = path.endswith("/kernel") and not layout.flat
    return is_kernel or path.endswith("/reverse_embeddings")


def _check_number(layout, ours, value):
    theirs = layout.settings[ours]
    is_left_out = value is None and layout.defaults.get(theirs, 0) is None
    kinds = (int, float) if ours in _FRACTIONS else (int,)
    if not (ours in _NO_NUMBERS or is_left_out or isinstance(value, kinds)):
        whole = "" if ours in _FRACTIONS else "whole "
        raise ValueError(
            f"`{theirs}` in config.json must be a {whole}number. Received: {value!r}"
        )


def _activation(name):
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(
            f"The activation in config.json must be one of {sorted(ACTIVATIONS)}. "
            f"Received: {name!r}"
        )
    return ACTIVATIONS[name]


def _name_of(function):
    for name, ours in ACTIVATIONS.items():
        if keras.activations.get(ours) is function:
            return name
    raise ValueError(
        f"`activation` must be one of {sorted(ACTIVATIONS)}, by Hugging Face's names. "
        f"Received: activation={getattr(function, '__name__', function)!r}"
    )
