"""What the graph holds: operations that any server has, and each function once."""

import pytest

from keras_lm.export import ExportError
from keras_lm.export.saved_model_writer import _refuse_strange_ops


def test_the_graph_holds_no_compiler_and_no_python(saved_model):
    from tensorflow.core.protobuf import saved_model_pb2

    graphs = saved_model_pb2.SavedModel()
    graphs.ParseFromString((saved_model.path / "saved_model.pb").read_bytes())
    graph = graphs.meta_graphs[0]
    functions = graph.graph_def.library.function
    ops = {node.op for function in functions for node in function.node_def}

    assert list(graph.meta_info_def.tags) == ["serve"]
    assert {"SentencepieceTokenizeOp", "TensorScatterUpdate", "While"} <= ops
    assert not [op for op in ops if op.startswith("Xla") or "PyFunc" in op]
    # Three signatures, and a body of a loop for two of them.
    assert sum(len(function.node_def) > 500 for function in functions) == 5


@pytest.mark.once
def test_python_in_a_graph_is_refused():
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default(), tf.name_scope("block_1/attention"):
        tf.numpy_function(lambda x: x, [tf.zeros([2])], tf.float32)

    with pytest.raises(ExportError, match="PyFunc in block_1/attention"):
        _refuse_strange_ops(graph)
