"""Reads what `save_adapters` wrote."""

from pathlib import Path

import keras
import numpy as np

from keras_lm.training.adapters import adaptable_layers, adapter_of, add_adapters
from keras_lm.training.trained_weights import (
    TrainedWeights,
    count_trained,
    set_trained,
)
from keras_lm.training.weight_paths import weight_paths


def load_adapters(model: keras.Model, path) -> TrainedWeights:
    """Puts the adapters of a file on a model, and the weights trained beside them.

    The model is one like that which was adapted: of the same architecture, with the
    same weights where these are not in the file. It has no adapters, and gets them,
    everything else frozen, as by `enable_lora`; or it has those of the file, whose
    numbers are then replaced. All fits, or nothing is changed.

    Args:
        model: a built `keras.Model`.
        path: of a file of `save_adapters`, from any backend. Nothing in it is executed.

    Returns:
        `TrainedWeights`: `trained` and `total` numbers; it prints as a sentence.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not one of `save_adapters`; or an adapter or weight in it has
            no place in the model, or another shape or scale than there, or the model
            has an adapter that is not in it.

    Example:
        >>> import pathlib, tempfile
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> twin = keras.models.clone_model(encoder)
        >>> trained = keras_lm.training.enable_lora(encoder, rank=4)
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name) / "adapters.npz"
        >>> keras_lm.training.save_adapters(encoder, path)
        >>> load_adapters(twin, path).trained
        512
    """
    adapters, weights = _read(Path(path))
    layers, named = adaptable_layers(model), weight_paths(model)
    _check_weights(named, weights, path)
    fresh = {}
    for place, arrays in adapters.items():
        if place not in layers:
            raise ValueError(
                f"The kernels adapted in {path} must be in the model. Received: "
                f"lora_a/{place}, and a model without {place}"
            )
        if not layers[place].lora_enabled:
            fresh[place] = layers[place]
        _check_adapter(place, layers[place], named[place], arrays, path)
    _check_missing(layers, adapters, fresh, path)
    freed = {id(named[place]) for place in weights}
    if fresh or not freed <= {id(weight) for weight in model.trainable_weights}:
        set_trained(model, lambda weight, was: id(weight) in freed or was and not fresh)
    for place, layer in fresh.items():
        alpha, rank = adapters[place]["lora_alpha"], adapters[place]["lora_b"].shape[0]
        add_adapters({place: layer}, rank, float(alpha))
    for place, arrays in adapters.items():
        adapter = adapter_of(layers[place])
        adapter.a.assign(arrays["lora_a"])
        adapter.b.assign(arrays["lora_b"])
    _put_weights(named, weights)
    return count_trained(model)


def _read(path):
    """`{path: {"lora_a": .., "lora_b": .., "lora_alpha": ..}}`, and other weights."""
    if not path.is_file():
        raise FileNotFoundError(
            f"`path` must be a file of `save_adapters`. Received: {path}"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # a damaged file can fail in any way
        raise ValueError(
            "`path` must be a whole file of `save_adapters`. "
            f"Received: {path} ({error})"
        ) from error
    adapters, weights = {}, {}
    for name, array in arrays.items():
        kind, _, place = name.partition("/")
        if kind == "trained":
            weights[place] = array
        else:
            adapters.setdefault(place, {})[kind] = array
    parts = {"lora_a", "lora_b", "lora_alpha"}
    strange = [place for place, found in adapters.items() if set(found) != parts]
    if strange or not adapters:
        raise ValueError(
            "`path` must be a file of `save_adapters`, with lora_a, lora_b and "
            f"lora_alpha of each kernel. Received: {path} with {sorted(arrays)[:3]}"
        )
    return adapters, weights


def _put_weights(named, weights):
    for place, array in weights.items():
        named[place].trainable = True  # an adapter freezes the kernel that it is put on
        named[place].assign(array)


def _check_weights(named, weights, path):
    for place, array in weights.items():
        if place not in named:
            raise ValueError(
                f"The weights trained in {path} must be in the model. Received: "
                f"trained/{place}, and a model without it"
            )
        _check_shape(f"trained/{place}", named[place].shape, array, path)


def _check_adapter(place, layer, weight, arrays, path):
    adapter = adapter_of(layer) if layer.lora_enabled else None
    rank = adapter.rank if adapter else max(1, *arrays["lora_b"].shape[:1], 1)
    shape = tuple(weight.shape)
    _check_shape(f"lora_a/{place}", (*shape[:-1], rank), arrays["lora_a"], path)
    _check_shape(f"lora_b/{place}", (rank, shape[-1]), arrays["lora_b"], path)
    _check_shape(f"lora_alpha/{place}", (), arrays["lora_alpha"], path)
    if adapter is not None and not np.isclose(adapter.alpha, arrays["lora_alpha"]):
        raise ValueError(
            f"lora_alpha/{place} in {path} must be that of the model's adapter, "
            f"{adapter.alpha}. Received: {arrays['lora_alpha']}"
        )
    if layer.quantization_mode is not None:
        raise ValueError(
            "Adapters must be loaded before the model is quantised. Received: "
            f"{place}, which is {layer.quantization_mode}"
        )


def _check_shape(name, wanted, array, path):
    if array.shape != tuple(wanted) or array.dtype.kind != "f":
        raise ValueError(
            f"{name} in {path} must be floats of the shape {tuple(wanted)}, for this "
            f"model. Received: {array.dtype} {array.shape}"
        )


def _check_missing(layers, adapters, fresh, path):
    """A model has the adapters of the file, or none: not some of them, nor others."""
    present = {place for place, layer in layers.items() if layer.lora_enabled}
    if present and (fresh or present - set(adapters)):
        place = sorted([*fresh, *(present - set(adapters))])[0]
        raise ValueError(
            f"The model's adapters must be those in {path}, or be merged first. "
            f"Received: {place}, which only one of the two adapts"
        )
