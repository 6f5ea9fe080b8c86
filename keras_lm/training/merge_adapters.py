"""A plain model of one with adapters."""

import keras
from keras import ops

from keras_lm.models.quick_deletion import quick_deletion
from keras_lm.training.adapters import (
    adapted_layers,
    base_of,
    merged_kernel,
    names_of,
)
from keras_lm.training.trained_weights import forget_compiled


def merge_adapters(model: keras.Model) -> None:
    """Adds what the adapters of `enable_lora` learned to their kernels; removes them.

        W = W + alpha / rank * A B

    The model answers what it answered, as fast as without adapters, and is saved,
    exported and quantised as any other. What was frozen stays frozen: `unfreeze`. A
    model that is compiled must be compiled again.

    Args:
        model: a `keras.Model` with adapters.

    Raises:
        ValueError: it has none, or an adapted layer is quantised.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> trained = keras_lm.training.enable_lora(encoder, rank=4)
        >>> len(encoder.weights)
        44
        >>> merge_adapters(encoder)
        >>> len(encoder.weights)
        36

    Source: https://arxiv.org/abs/2106.09685, section 4.1.
    """
    layers = adapted_layers(model)
    if not layers:
        raise ValueError(
            "`model` must have adapters, see `enable_lora`. Received: "
            f"{model.name}, which has none"
        )
    merged = [merged_kernel(layer) for layer in layers.values()]
    with quick_deletion():
        for layer, kernel in zip(layers.values(), merged, strict=True):
            base_of(layer).assign(kernel)
            _remove_adapter(layer)
    forget_compiled(model)


def _remove_adapter(layer):
    for name in names_of(layer):
        matrix = getattr(layer, name)
        # A graph of another model that was compiled with it then adds nothing.
        matrix.assign(ops.zeros(matrix.shape))
        delattr(layer, name)
    layer.lora_enabled = False
    layer.lora_rank = layer.lora_alpha = None
