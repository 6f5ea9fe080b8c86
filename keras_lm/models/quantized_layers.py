"""Which layers of a model are quantised, so that a file of it is read back."""

import keras

from keras_lm.models.quick_deletion import quick_deletion


def quantized_layers(model):
    """What the configuration of a quantised model says besides its arguments.

    Keras' `quantize` changes layers that a constructor makes anew as they were.

    Args:
        model: a built model.

    Returns:
        dictionary: `"quantized_layers"`, `{path: mode}` as "int8" or, with the size of
        its blocks, "int4/128", paths without the model's own name; empty for a model
        without any.
    """
    modes = {
        path: _mode(layer)
        for path, layer in _layers(model)
        if layer.quantization_mode is not None
    }
    return {"quantized_layers": modes} if modes else {}


def made_from(model_class, config):
    """The model of a configuration, its layers quantised as they were.

    Args:
        model_class: of the model.
        config: arguments of its constructor, and what `quantized_layers` gave.

    Returns:
        model.

    Raises:
        ValueError: a layer that was quantised is not in the model.
    """
    config = dict(config)
    modes = config.pop("quantized_layers", {})
    model = model_class(**config)
    layers = list(_layers(model))
    with quick_deletion():
        for path, layer in layers:
            mode = modes.get(path)
            if mode is not None and layer.quantization_mode is None:
                _quantize(layer, mode)
    # A model inside of another name has quantised its layers itself.
    if sum(layer.quantization_mode is not None for _, layer in layers) < len(modes):
        missing = sorted(modes.keys() - dict(layers).keys())
        raise ValueError(
            "`quantized_layers` must be paths of layers of the model. "
            f"Received: {missing}, which are not"
        )
    return model


def _mode(layer):
    size = getattr(layer.dtype_policy, "block_size", None)
    return f"{layer.quantization_mode}{'' if size is None else f'/{size}'}"


def _quantize(layer, mode):
    mode, _, size = mode.partition("/")
    if size:
        config = keras.quantizers.Int4QuantizationConfig(block_size=int(size))
        layer.quantize(config=config)
    else:
        layer.quantize(mode)


def _layers(model):
    """Paths and layers; a layer of a model that was made before has its path there."""
    for layer in model._flatten_layers(include_self=False):
        path = layer.path or layer.name  # of one that is never built
        yield path.removeprefix(f"{model.path}/"), layer
