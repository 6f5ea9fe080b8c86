"""Language models in Keras 3 that you can train, talk to and ship.

The rooms (`keras_lm.layers`, `keras_lm.models`, ...) are imported when they are
first used, so that `import keras_lm` and `keras-lm --help` load neither Keras nor a
backend.
"""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors; at run time `__getattr__` does it
    from keras_lm import (
        export,
        generation,
        layers,
        models,
        pipelines,
        text,
        training,
    )

__version__ = "0.1.0"

__all__ = [
    "export",
    "generation",
    "layers",
    "models",
    "pipelines",
    "text",
    "training",
]

# Keras' other backends (openvino, numpy) cannot train.
_BACKENDS = ("tensorflow", "jax", "torch")

# Unset or empty, Keras takes the backend of its own settings file.
_chosen = os.environ.get("KERAS_BACKEND")
if _chosen and _chosen not in _BACKENDS:
    raise ValueError(
        "KERAS_BACKEND must be one of 'tensorflow', 'jax', 'torch'. "
        f"Received: {_chosen!r}"
    )


def __getattr__(name: str):
    if name in __all__:
        return importlib.import_module(f"keras_lm.{name}")
    raise AttributeError(f"module 'keras_lm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
