"""Attention layers that one target or the other cannot run."""

import keras
from keras import ops

from keras_lm.layers import MultiHeadAttention


@keras.saving.register_keras_serializable(package="tests")
class FourierAttention(MultiHeadAttention):
    """Does to the context what LiteRT has no builtin operation for."""

    def attend(self, query, key, value, visibility, training):
        context = super().attend(query, key, value, visibility, training)
        return ops.real(ops.fft((context, ops.zeros_like(context)))[0])


@keras.saving.register_keras_serializable(package="tests")
class PythonAttention(MultiHeadAttention):
    """Calls Python from the graph, which no server can."""

    def attend(self, query, key, value, visibility, training):
        context = super().attend(query, key, value, visibility, training)
        if keras.backend.backend() != "tensorflow":
            return context
        import tensorflow as tf

        shape = context.shape
        context = tf.numpy_function(lambda x: x, [context], tf.float32)
        return tf.ensure_shape(context, shape)
