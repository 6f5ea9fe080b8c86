"""Operations stand under the names of the layers that made them."""

import keras
import pytest

from keras_lm.export.name_layers import layers_with_op, name_layers
from tests.export.conftest import make_pipeline


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a TensorFlow graph"
)
def test_a_step_is_named_by_block_and_layer():
    import tensorflow as tf

    model = make_pipeline().model
    name_layers(model)

    @tf.function(autograph=False)
    def step(token_ids):
        return model.step(token_ids, model.initial_state(2, 5))[0]

    graph = step.get_concrete_function(tf.TensorSpec([2, 3], tf.int32)).graph
    attention = [block.attention.name for block in model.blocks]

    assert layers_with_op(graph, "Softmax") == (
        f"block_0/{attention[0]}, block_1/{attention[1]}"
    )


@pytest.mark.once
def test_an_operation_of_no_layer_stands_in_the_model():
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        tf.math.erf(tf.zeros([2]))
        with tf.name_scope("while/body/block_0"):
            tf.math.tan(tf.zeros([2]))

    assert layers_with_op(graph, "Erf") == "the model"
    assert layers_with_op(graph, "Tan") == "block_0"
    assert layers_with_op(graph, "Erfinv") == "the model"
