"""The weights of a model by their paths, and those that a pattern names."""

import difflib
import re
from collections.abc import Iterable, Sequence

import keras

_NEAREST = 5
_LAYER = re.compile(r"([^/]+)(/[^/]*)?$")  # the last layer of a path, and the weight
_WRAPPED = re.compile(r"^(forward|backward)_")  # put before a name by `Bidirectional`


def weight_paths(model: keras.Model) -> dict[str, keras.Variable]:
    """The weights of a model by paths that are the same in every session.

    What is given no name Keras counts through the session ("transformer_encoder_3").
    Here it is counted within what it is a part of: the first is "transformer_encoder",
    the second "transformer_encoder_1". Names that say the class and start at 0
    ("lstm_0") were given, and stay. Layers that were given the same name are counted
    likewise: "head/kernel", "head_1/kernel".

    Args:
        model: a built `keras.Model`.

    Returns:
        dictionary of variables, in the model's order.
    """
    given = _given_names(model)
    counted: dict[tuple, list] = {}
    named: dict[str, keras.Variable] = {}
    for weight in model.weights:
        whole = path = _counted_path(weight.path, given, counted)
        number = 0
        while path in named:
            number += 1
            path = _LAYER.sub(rf"\1_{number}\2", whole)
        named[path] = weight
    return named


def path_of(path: str) -> str:
    """A path whose first name is without the number that Keras put behind it.

    Args:
        path: of a weight or layer.

    Returns:
        str.
    """
    first, *others = path.split("/")
    return "/".join([re.sub(r"_\d+$", "", first), *others])


def matching_paths(
    paths: Iterable[str], patterns: Sequence[str], argument: str
) -> list[str]:
    """The paths in which a pattern is found; each pattern must be in one.

    Args:
        paths: str.
        patterns: regular expressions, looked for anywhere in a path.
        argument: str, the name of the patterns in errors.

    Returns:
        list of str, in the order of `paths`.

    Raises:
        TypeError: a pattern is no string.
        ValueError: there is no pattern, one is no regular expression, or one is in no
            path; the nearest paths are named.
    """
    paths = list(paths)
    if not patterns:
        raise ValueError(f"`{argument}` must name some weights. Received: none")
    found = set()
    for pattern in patterns:
        hits = {
            path for path in paths if compiled_pattern(pattern, argument).search(path)
        }
        if not hits:
            near = difflib.get_close_matches(pattern, paths, _NEAREST, cutoff=0.0)
            raise ValueError(
                f"`{argument}` must be found in the path of a weight. Received: "
                f"{pattern!r}, which is in none of {len(paths)}; the nearest are {near}"
            )
        found |= hits
    return [path for path in paths if path in found]


def compiled_pattern(pattern: str, argument: str) -> re.Pattern:
    """A regular expression that was given as an argument.

    Args:
        pattern: regular expression.
        argument: str, the name of the patterns in errors.

    Returns:
        compiled pattern.

    Raises:
        TypeError: it is no string.
        ValueError: it is no regular expression.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"`{argument}` must be strings. Received: {pattern!r:.80}")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"`{argument}` must be regular expressions. Received: {pattern!r} ({error})"
        ) from error


def _counted_path(path, given, counted):
    """A path whose layers that Keras named are counted, each within its parent."""
    *layers, weight = path.split("/")
    names = []
    for depth, name in enumerate(layers):
        if name not in given:
            kind = path_of(name)
            alike = counted.setdefault((*layers[:depth], kind), [])
            if name not in alike:
                alike.append(name)
            number = alike.index(name)
            name = f"{kind}_{number}" if number else kind
        names.append(name)
    return "/".join([*names, weight])


def _given_names(model):
    """Names of layers that Keras did not make: of another word, or counted from 0."""
    layers = list(model._flatten_layers())
    names = {layer.name for layer in layers}
    return {
        layer.name
        for layer in layers
        if f"{path_of(layer.name)}_0" in names
        or _WRAPPED.sub("", path_of(layer.name)).replace("_", "")
        != type(layer).__name__.replace("_", "").lower()
    }
