"""What makes a training run this run and no other."""

import json
from typing import Any

import keras


def run_fingerprint(model, settings):
    """Describes a run: two runs of one fingerprint may share a checkpoint.

    Layers are named by their order, because Keras counts names up: the model that
    a notebook cell builds a second time is the same model.

    Args:
        model: a compiled `keras.Model`.
        settings: dict of JSON values. What else makes this run this run.

    Returns:
        dict of JSON values: backend, Keras version, settings, model, optimizer.
    """
    optimizer = model.optimizer
    described = {
        "model": {"class": type(model).__name__, "config": _config(model)},
        "optimizer": {"class": type(optimizer).__name__, "config": _config(optimizer)},
    }
    named: Any = _rename(_as_json(described))
    return {
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "settings": _as_json(settings),
        "model": named["model"],
        "optimizer": named["optimizer"],
    }


def name_differences(old, new, path=""):
    """Says in words where two fingerprints differ.

    Args:
        old: JSON value.
        new: JSON value.
        path: string. Where in the fingerprint the two stand.

    Returns:
        list of strings such as "settings.seed was 1, now 2"; empty when equal.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        pairs = [(key, old.get(key), new.get(key)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(i, was, now) for i, (was, now) in enumerate(zip(old, new))]
    else:
        return [] if old == new else [f"{path} was {old!r}, now {new!r}"]
    return [
        difference
        for key, was, now in pairs
        for difference in name_differences(was, now, f"{path}.{key}".lstrip("."))
    ]


def _config(thing):
    """Asks for the configuration; the class name where there is none."""
    try:
        return thing.get_config()
    except (AttributeError, NotImplementedError):
        return type(thing).__name__


def _as_json(value):
    return json.loads(json.dumps(value, default=_config))


def _rename(described):
    """Replaces the names that Keras gave by "name 0", "name 1", ..."""
    names = {}

    def collect(value):
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            names.setdefault(value["name"], f"name {len(names)}")
        for part in _parts(value):
            collect(part)

    def replace(value):
        if isinstance(value, dict):
            return {key: replace(part) for key, part in value.items()}
        if isinstance(value, list):
            return [replace(part) for part in value]
        return names.get(value, value) if isinstance(value, str) else value

    collect(described)
    return replace(described)


def _parts(value):
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
