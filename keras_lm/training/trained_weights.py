"""Which weights of a model are trained, and how many numbers that is."""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras


class TrainedWeights(NamedTuple):
    """How many numbers of a model are trained, as it prints.

    Args:
        trained: int. Numbers in the weights that are trained.
        total: int. Numbers in all weights.
    """

    trained: int
    total: int

    def __str__(self):
        """As in "1,234 of 56,789 numbers are trained (2.2 %)"."""
        share = 100 * self.trained / max(self.total, 1)
        return f"{self.trained:,} of {self.total:,} numbers are trained ({share:.1f} %)"


def count_trained(model: keras.Model) -> TrainedWeights:
    """Counts what is trained.

    Args:
        model: a built `keras.Model`.

    Returns:
        `TrainedWeights`.
    """
    return TrainedWeights(_count(model.trainable_weights), _count(model.weights))


def set_trained(model: keras.Model, is_trained: Callable) -> None:
    """Says of each weight whether it is trained, and forgets how that was compiled.

    Keras hides the weights of a layer whose `trainable` is false whatever they say
    themselves: all layers are set to true, and what they hid is marked weight by
    weight. What no optimizer moves anyway (a running mean, a seed) is left alone.

    Args:
        model: a built `keras.Model`.
        is_trained: function of a weight and whether it was trained until now, to bool.
    """
    trained = {id(weight) for weight in model.trainable_weights}
    # Of every layer, and so of every weight that can be; twice, as on TensorFlow what
    # is set to what it was is not handed on.
    for value in (False, True):
        for layer in model._flatten_layers():
            layer.trainable = value
    for weight in model.trainable_weights:
        weight.trainable = bool(is_trained(weight, id(weight) in trained))
    forget_compiled(model)


def forget_compiled(model: keras.Model) -> None:
    """Makes `fit` ask for `compile` again, and compiles what predicts anew.

    A step that was compiled has the weights that it trains in it, and an optimizer the
    state of those that it was built for.

    Args:
        model: a `keras.Model`.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, keras.Model):
            layer.train_function = layer.test_function = layer.predict_function = None
            layer.compiled = False
            layer.optimizer = None


def _count(weights):
    return sum(math.prod(weight.shape) for weight in weights)
