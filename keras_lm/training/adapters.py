"""The layers of a model that can have a low-rank adapter, and those that have one."""

from typing import NamedTuple

import keras
import numpy as np

from keras_lm.training.to_numpy import to_numpy
from keras_lm.training.weight_paths import weight_paths

_KERNELS = (keras.layers.Dense, keras.layers.EinsumDense)


class Adapter(NamedTuple):
    """The adapter of a layer: `kernel + alpha / rank * a b`.

    Args:
        a: variable `(.., rank)`.
        b: variable `(rank, width)`.
        alpha: float.
    """

    a: keras.Variable
    b: keras.Variable
    alpha: float

    @property
    def rank(self):
        """Width between the two matrices, int."""
        return self.b.shape[0]


def adaptable_layers(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """The layers that Keras can adapt, by the paths of their kernels or embeddings.

    Args:
        model: a built `keras.Model`.

    Returns:
        dictionary of `Dense`, `EinsumDense` and `Embedding` layers.
    """
    layers = {}
    for layer in model._flatten_layers():
        if isinstance(layer, (*_KERNELS, keras.layers.Embedding)) and layer.built:
            layers[id(base_of(layer))] = layer
    return {
        path: layers[id(weight)]
        for path, weight in weight_paths(model).items()
        if id(weight) in layers
    }


def adapter_of(layer: keras.layers.Layer) -> Adapter:
    """The adapter of a layer.

    Args:
        layer: as `adapted_layers` gives them.

    Returns:
        `Adapter`.
    """
    a, b = (getattr(layer, name) for name in names_of(layer))
    return Adapter(a, b, layer.lora_alpha)


def names_of(layer: keras.layers.Layer) -> tuple[str, str]:
    """What Keras calls the two matrices of a layer's adapter.

    Args:
        layer: as `adaptable_layers` gives them.

    Returns:
        `(name of a, name of b)`.
    """
    if isinstance(layer, keras.layers.Embedding):
        return "lora_embeddings_a", "lora_embeddings_b"
    return "lora_kernel_a", "lora_kernel_b"


def adapted_layers(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """The layers that have an adapter, by the paths of their kernels or embeddings.

    Args:
        model: a built `keras.Model`.

    Returns:
        dictionary of layers.
    """
    layers = adaptable_layers(model)
    return {path: layer for path, layer in layers.items() if layer.lora_enabled}


def add_adapters(layers: dict, rank: int, alpha: float) -> None:
    """Gives layers an adapter, which changes nothing at first: `b` is 0.

    Args:
        layers: as `adaptable_layers` gives them, without adapters.
        rank: int.
        alpha: float.
    """
    for layer in layers.values():
        layer.enable_lora(rank, lora_alpha=alpha)


def merged_weights(model: keras.Model) -> list[np.ndarray]:
    """What `get_weights` would give, were the adapters merged.

    Args:
        model: a built `keras.Model`.

    Returns:
        list of arrays, for `set_weights` of a model of the same configuration.
    """
    left_out, changed = set(), {}
    for layer in adapted_layers(model).values():
        left_out |= {id(getattr(layer, name)) for name in names_of(layer)}
        changed[id(base_of(layer))] = merged_kernel(layer)
    return [
        changed[id(weight)] if id(weight) in changed else to_numpy(weight)
        for weight in model.weights
        if id(weight) not in left_out
    ]


def base_of(layer: keras.layers.Layer) -> keras.Variable:
    """The kernel or the embeddings of a layer, without its adapter.

    Args:
        layer: as `adaptable_layers` gives them.

    Returns:
        variable.
    """
    # What is public, `kernel` and `embeddings`, has the adapter in it.
    is_embedding = isinstance(layer, keras.layers.Embedding)
    return getattr(layer, "_embeddings" if is_embedding else "_kernel", None)


def merged_kernel(layer: keras.layers.Layer) -> np.ndarray:
    """Kernel or embeddings of a layer with its adapter in them.

    Keras' own property gives it in the dtype of computation, which in mixed precision
    is coarser than the kernel's.

    Args:
        layer: with an adapter.

    Returns:
        array of the kernel's shape.

    Raises:
        ValueError: the layer is quantised.
    """
    if layer.quantization_mode is not None:
        raise ValueError(
            "Adapters must be merged before the model is quantised. Received: "
            f"{layer.path}, which is {layer.quantization_mode}"
        )
    adapter, base = adapter_of(layer), base_of(layer)
    a, b, kernel = (
        to_numpy(one).astype("float32") for one in (adapter.a, adapter.b, base)
    )
    return kernel + adapter.alpha / adapter.rank * (a @ b)
