"""A callback that ends training with the mean of its last epochs' weights."""

import collections

import keras
import numpy as np

from keras_lm.training.to_numpy import to_numpy


class AverageCheckpoints(keras.callbacks.Callback):
    """Sets the model to the mean of its weights after each of the last epochs.

        weight = (weight_1 + .. + weight_k) / k,    k = min(last, epochs of this fit)

    The mean lies deeper in the valley around which the last steps wander: some tenths
    of BLEU for nothing (Vaswani et al. take 5 checkpoints). Floats are summed in
    float64; whole numbers keep their last value. The weights of the last `last`
    epochs are held in memory. What was best before may be better still: compare.

    Place it after callbacks that set weights at the end of training.

    Args:
        last: int, at least 1. How many epochs.

    Raises:
        ValueError: `last` is below 1.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> average = AverageCheckpoints(last=2)
        >>> history = model.fit(np.ones((4, 3)), np.ones((4, 2)), epochs=3,
        ...     callbacks=[average], verbose=0)
        >>> average.num_averaged
        2

    Source: https://arxiv.org/abs/1706.03762, section 6.1.
    """

    def __init__(self, last=5):
        super().__init__()
        if last < 1:
            raise ValueError(f"`last` must be at least 1. Received: last={last}")
        self.last = last
        self.num_averaged = 0
        self._kept = collections.deque(maxlen=last)

    def on_train_begin(self, logs=None):
        """Forgets another run; Keras calls this."""
        self._kept.clear()
        self.num_averaged = 0

    def on_epoch_end(self, epoch, logs=None):
        """Keeps the weights of this epoch; Keras calls this."""
        self._kept.append([_copy(weight) for weight in self.model.weights])

    def on_train_end(self, logs=None):
        """Sets the mean; Keras calls this."""
        self.num_averaged = len(self._kept)
        if self._kept:
            for weight, *arrays in zip(self.model.weights, *self._kept, strict=True):
                if arrays[0].dtype.kind == "f":
                    weight.assign(
                        sum(a.astype("float64") for a in arrays) / len(arrays)
                    )
        self._kept.clear()


def _copy(weight):
    return np.array(to_numpy(weight))
