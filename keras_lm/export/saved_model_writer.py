"""A pipeline as a SavedModel: what its kind serves, written down.

Imported by the worker process only, on the TensorFlow backend.
"""

import tensorflow as tf  # noqa: TID253

from keras_lm.backend import tensorflow as backend
from keras_lm.export.export_error import ExportError
from keras_lm.export.kinds import kind_of
from keras_lm.export.name_layers import layers_with_op


def write_saved_model(pipeline, path: str) -> None:
    """Writes the pipeline as a SavedModel.

    Args:
        pipeline: of any kind, its layers named by `name_layers`.
        path: str. The folder to be.

    Raises:
        ExportError: an operation that TensorFlow Serving does not run.
    """
    backend.STOCK_OPS_ONLY = True
    signatures, kept = kind_of(pipeline).saved_model_signatures(pipeline)
    for function in signatures.values():
        _refuse_strange_ops(function.graph)
    # What the signatures use, and nothing else: every `tf.function` would go in twice.
    module = tf.Module()
    module.model_variables = [one.value for one in pipeline.model.variables]
    module.kept = kept
    tf.saved_model.save(module, path, signatures=signatures)


def _refuse_strange_ops(graph):
    nodes = list(graph.as_graph_def().node)
    nodes += [
        node for f in graph.as_graph_def().library.function for node in f.node_def
    ]
    strange = sorted(
        {node.op for node in nodes if node.op.startswith("Xla") or "PyFunc" in node.op}
    )
    if strange:
        layers = [layers_with_op(graph, op) for op in strange]
        raise ExportError(
            "A SavedModel must hold operations that TensorFlow Serving runs. Received: "
            + "; ".join(f"{op} in {where}" for op, where in zip(strange, layers))
        )
