"""Models of ours from KerasHub's backbones, weight by weight."""

import re
from typing import NamedTuple

import keras

from keras_lm.layers.gelu_tanh import gelu_tanh

# The backbones' constructors and ours have these names in common.
_SIZES = ["vocabulary_size", "num_layers", "num_heads", "hidden_dim"]
_SIZES += ["intermediate_dim", "max_sequence_length", "dropout"]


class Backbone(NamedTuple):
    """How a backbone of KerasHub is one of our models.

    Args:
        model: name of our class.
        sizes: names of arguments that the backbone has as attributes.
        ours: `{our argument: its value}`, which the backbone's class implies.
        paths: `{our layer's path: theirs}`; `{i}` is the number of a block.
    """

    model: str
    sizes: list
    ours: dict
    paths: dict


def from_keras_hub(model_class, backbone, options: dict):
    """A model with the numbers of a backbone of KerasHub.

    Args:
        model_class: of the model.
        backbone: `keras_hub.models.BertBackbone` or `GPT2Backbone`.
        options: arguments of the constructor, in place of the backbone's.

    Returns:
        the model.

    Raises:
        TypeError: it is no such backbone, or one for another model.
        ValueError: a weight is missing or has another size, or the backbone is
            quantised or has adapters.
    """
    kinds = [
        kind for kind in BACKBONES if BACKBONES[kind].model == model_class.__name__
    ]
    if type(backbone).__name__ not in kinds:
        raise TypeError(
            f"`backbone` must be one of {kinds}, of keras_hub, for a "
            f"{model_class.__name__}. Received: a {type(backbone).__name__}"
        )
    about = BACKBONES[type(backbone).__name__]
    arguments = {name: getattr(backbone, name) for name in about.sizes}
    model = model_class(**{**arguments, **about.ours, **options})
    theirs = {weight.path: weight for weight in backbone.weights}
    _refuse_changed(theirs)
    # All are found before the first is given.
    model.set_weights([_array(about, theirs, weight) for weight in model.weights])
    return model


def _refuse_changed(theirs):
    """What stands beside a kernel would be left out, and the kernel is not all."""
    changed = [path for path in theirs if path.endswith("_scale") or "/lora_" in path]
    if changed:
        raise ValueError(
            "`backbone` must be neither quantised nor have adapters. "
            f"Received: one with {changed[0]}"
        )


def _array(about, theirs, weight):
    """What is given to a weight; what it has, if the backbone knows none."""
    layer, _, leaf = weight.path.partition("/")[2].rpartition("/")
    block = re.search(r"_(\d+)", layer)
    path = about.paths.get(re.sub(r"_\d+", "_{i}", layer, count=1))
    if path is None:
        return keras.ops.convert_to_numpy(weight)
    path = f"{path}/{leaf}".replace("{i}", block[1] if block else "")
    if path not in theirs:
        raise ValueError(
            f"The backbone must have a weight {path}, for {weight.path} of shape "
            f"{tuple(weight.shape)}. Received: {len(theirs)} weights, among them "
            f"{sorted(theirs)[:3]}"
        )
    array = keras.ops.convert_to_numpy(theirs[path])
    if array.size != keras.ops.size(weight):
        raise ValueError(
            f"{path} must have as many numbers as {weight.path}, of shape "
            f"{tuple(weight.shape)}. Received: {array.shape}"
        )
    # Theirs has an axis of heads, where ours has the heads side by side.
    return array.reshape(weight.shape)


def _blocks(attention):
    ours, theirs = "block_{i}", "transformer_layer_{i}"
    return {
        f"{ours}/attention/query": f"{theirs}/{attention}/query",
        f"{ours}/attention/key": f"{theirs}/{attention}/key",
        f"{ours}/attention/value": f"{theirs}/{attention}/value",
        f"{ours}/attention/output": f"{theirs}/{attention}/attention_output",
        f"{ours}/attention_norm": f"{theirs}/self_attention_layer_norm",
        f"{ours}/feed_forward/inner": f"{theirs}/feedforward_intermediate_dense",
        f"{ours}/feed_forward/output": f"{theirs}/feedforward_output_dense",
        f"{ours}/feed_forward_norm": f"{theirs}/feedforward_layer_norm",
    }


_EMBEDDINGS = {
    "token_embedding": "token_embedding",
    "position_embedding": "position_embedding",
}
BACKBONES = {
    "BertBackbone": Backbone(
        "TransformerEncoder",
        [*_SIZES, "num_segments"],
        {
            "activation": gelu_tanh,
            "normalize_first": False,
            "epsilon": 1e-12,
            "pooling": "first",
        },
        {
            **_EMBEDDINGS,
            **_blocks("self_attention_layer"),
            "segment_embedding": "segment_embedding",
            "embedding_norm": "embeddings_layer_norm",
            "pooling/dense": "pooled_dense",
        },
    ),
    "GPT2Backbone": Backbone(
        "TransformerDecoder",
        _SIZES,
        {"activation": gelu_tanh, "positions": "learned"},
        {
            **_EMBEDDINGS,
            **_blocks("self_attention"),
            "final_norm": "layer_norm",
        },
    ),
}
