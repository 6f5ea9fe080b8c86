"""Which layers of a model are quantised, so that a file of it is read back."""

from keras_lm.models.quick_deletion import quick_deletion


def quantized_layers(model):
    """What the configuration of a quantised model says besides its arguments.

    Keras' `quantize` changes layers that a constructor makes anew as they were.

    Args:
        model: a built model.

    Returns:
        dictionary: `"quantized_layers"`, `{path: mode}` as "int8"; empty for a model
        without any.
    """
    modes = {
        layer.path: layer.quantization_mode
        for layer in model._flatten_layers(include_self=False)
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
    """
    config = dict(config)
    modes = config.pop("quantized_layers", {})
    model = model_class(**config)
    with quick_deletion():
        for layer in model._flatten_layers(include_self=False):
            mode = modes.get(layer.path)
            if mode is not None and layer.quantization_mode is None:
                layer.quantize(mode)
    return model
