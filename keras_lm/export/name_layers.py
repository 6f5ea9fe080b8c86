"""Names of layers in TensorFlow graphs, so that an error can say where.

Imported by the worker process only, on the TensorFlow backend.
"""

import functools
import re

import tensorflow as tf  # noqa: TID253


def name_layers(model) -> None:
    """Puts the operations of each layer's `step` under the layer's name.

    Keras does so for `call`; it does not know `step`.

    Args:
        model: a `keras.Model`, whose layers are changed.
    """
    for layer in model._flatten_layers(include_self=False):
        if hasattr(layer, "step"):
            layer.step = _named(layer.step, layer.name)


def layers_with_op(graph, op: str) -> str:
    """Where an operation stands.

    Args:
        graph: a function's graph.
        op: str. TensorFlow's name of the operation, for example "Erfinv".

    Returns:
        str: the names of the layers, outermost first; "the model" where none is known.
    """
    definition = graph.as_graph_def()
    nodes = list(definition.node)
    nodes += [node for f in definition.library.function for node in f.node_def]
    wanted = op.lower()
    places = {
        _without_graph_names(node.name) for node in nodes if node.op.lower() == wanted
    }
    return ", ".join(sorted(place for place in places if place)) or "the model"


def _without_graph_names(name):
    parts = name.split("/")[:-1]
    return "/".join(part for part in parts if not re.match("while|cond|body", part))


def _named(function, name):
    @functools.wraps(function)
    def named(*args, **kwargs):
        with tf.name_scope(name):
            return function(*args, **kwargs)

    return named
