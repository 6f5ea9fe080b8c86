"""Writes what was trained of a model with adapters, alone."""

import keras
import numpy as np

from keras_lm.files import complete_file
from keras_lm.training.adapters import adapted_layers, adapter_of
from keras_lm.training.to_numpy import to_numpy
from keras_lm.training.weight_paths import weight_paths


def save_adapters(model: keras.Model, path, overwrite: bool = False) -> None:
    """Writes the adapters of a model, and what else is trained in it, to a small file.

    The file is NumPy's `.npz`, without pickled objects, and complete or absent. It
    holds, under the path of each kernel (that of `weight.path`, with names that Keras
    made counted within their parent, not through the session):

        lora_a/<path>, lora_b/<path>, lora_alpha/<path>     of each adapter
        trained/<path>                                      of each other trained weight

    The latter are what `unfreeze` freed, as the head of a classifier. `load_adapters`
    reads it on any backend, into a model like the one that was adapted.

    Args:
        model: a `keras.Model` with adapters.
        path: of the file, as "sentiment.npz". A link to a file is followed.
        overwrite: bool. Whether a file that is there may be replaced.

    Raises:
        FileExistsError: it exists, and is no file or `overwrite` is false.
        OSError: it cannot be written.
        ValueError: the model has no adapters.

    Example:
        >>> import pathlib, tempfile
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> trained = keras_lm.training.enable_lora(encoder, rank=4)
        >>> folder = tempfile.TemporaryDirectory()
        >>> save_adapters(encoder, pathlib.Path(folder.name) / "adapters.npz")
    """
    arrays = _arrays(model)
    with complete_file(path, overwrite) as place, place.open("wb") as file:
        np.savez(file, **arrays)


def _arrays(model):
    layers = adapted_layers(model)
    if not layers:
        raise ValueError(
            "`model` must have adapters, see `enable_lora`. Received: "
            f"{model.name}, which has none"
        )
    arrays, written = {}, set()
    for path, layer in layers.items():
        adapter = adapter_of(layer)
        arrays[f"lora_a/{path}"] = to_numpy(adapter.a)
        arrays[f"lora_b/{path}"] = to_numpy(adapter.b)
        arrays[f"lora_alpha/{path}"] = np.float32(adapter.alpha)
        written |= {id(adapter.a), id(adapter.b)}
    trained = {id(weight) for weight in model.trainable_weights} - written
    for path, weight in weight_paths(model).items():
        if id(weight) in trained:
            arrays[f"trained/{path}"] = to_numpy(weight)
    return arrays
