"""Leaves out one stream of some examples in training, so that none is relied on."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class ModalityDropout(keras.layers.Layer):
    """Says that a random present stream is absent, in some examples, never the last.

    A model that never saw a stream missing leans on all of them, and fails when one is:
    with one of its two streams gone it may be worse than a model of the other alone.

    Shapes: `B` batch, `M` streams.

    Args:
        rate: float, 0 to 1. Fraction of the examples with two present streams or more
            that lose one.
        seed: int or `None`.

    Call arguments:
        present: bool `(B, M)`. `True` = the example has the stream.
        training: bool. Nothing changes outside of training.

    Returns:
        bool `(B, M)`; a row that had a `True` keeps one.

    Raises:
        ValueError: `rate` is not a fraction.

    Example:
        >>> present = ops.ones((5, 2), "bool")
        >>> drop = ModalityDropout(rate=1.0, seed=0)
        >>> ops.convert_to_numpy(drop(present, training=True)).sum(axis=1).tolist()
        [1, 1, 1, 1, 1]

    Source: https://arxiv.org/abs/2204.05454 (what a missing stream costs without it).
    """

    def __init__(self, rate, seed=None, **kwargs):
        if not 0 <= rate <= 1:
            raise ValueError(f"`rate` must be from 0 to 1. Received: rate={rate}")
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, present_shape):
        pass

    def call(self, present, training=None):
        if not training or self.rate == 0:
            return present
        shape = ops.shape(present)
        # The lot falls on a present stream: an absent one draws less than any.
        lots = keras.random.uniform(shape, dtype="float32", seed=self.generator)
        lots = ops.where(present, lots, -1.0)
        chosen = ops.one_hot(ops.argmax(lots, axis=-1), present.shape[1], dtype="bool")
        struck = keras.random.uniform((shape[0], 1), seed=self.generator) < self.rate
        spare = ops.sum(ops.cast(present, "int32"), axis=1, keepdims=True) > 1
        dropped = ops.logical_and(chosen, ops.logical_and(struck, spare))
        return ops.logical_and(present, ops.logical_not(dropped))

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
