"""The weights of a model by their paths, and those that a pattern names."""

import difflib
import re
from collections.abc import Iterable, Sequence

import keras

_NEAREST = 5


def weight_paths(model: keras.Model) -> dict[str, keras.Variable]:
    """The weights of a model by paths that are the same in every session.

    Keras counts models up ("transformer_encoder_3"); the number is left out, unless two
    weights would then have one path, as those of two encoders in one model.

    Args:
        model: a built `keras.Model`.

    Returns:
        dictionary of variables, in the model's order.
    """
    counted: dict[str, list] = {}
    for weight in model.weights:
        counted.setdefault(path_of(weight.path), []).append(weight)
    return {
        (
            path_of(weight.path)
            if len(counted[path_of(weight.path)]) == 1
            else weight.path
        ): weight
        for weight in model.weights
    }


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
        hits = {path for path in paths if _compiled(pattern, argument).search(path)}
        if not hits:
            near = difflib.get_close_matches(pattern, paths, _NEAREST, cutoff=0.0)
            raise ValueError(
                f"`{argument}` must be found in the path of a weight. Received: "
                f"{pattern!r}, which is in none of {len(paths)}; the nearest are {near}"
            )
        found |= hits
    return [path for path in paths if path in found]


def _compiled(pattern, argument):
    if not isinstance(pattern, str):
        raise TypeError(f"`{argument}` must be strings. Received: {pattern!r:.80}")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"`{argument}` must be regular expressions. Received: {pattern!r} ({error})"
        ) from error
