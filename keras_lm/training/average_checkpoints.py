"""A callback that ends training with the mean of its last epochs' weights."""

import collections
from pathlib import Path

import keras
import numpy as np

from keras_lm.files import complete_file
from keras_lm.training.to_numpy import to_numpy


class AverageCheckpoints(keras.callbacks.Callback):
    """Sets the model to the mean of its weights after each of the last epochs.

        weight = (weight_1 + .. + weight_k) / k,    k = min(last, epochs of this fit)

    The mean lies deeper in the valley around which the last steps wander: some tenths
    of BLEU for nothing (Vaswani et al. take 5 checkpoints). Floats are summed in
    float64; whole numbers keep their last value. The weights of the last `last`
    epochs are held in memory. What was best before may be better still: compare.

    Place it after callbacks that set weights at the end of training, and, with a
    directory, before `ResumableCheckpoint`: a run that was interrupted and resumed then
    ends with the mean of one that was not. Weights on the disk belong to a run if the
    model has the newest of them when it begins; what is newer, or another run's, goes
    after its first epoch. They stay when training ends.

    Args:
        last: int, at least 1. How many epochs.
        directory: path. Where the weights of the last epochs are kept, too; made when
            it is not there. `None`: in memory only.

    Raises:
        ValueError: `last` is below 1.
        OSError: weights cannot be written.

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

    def __init__(self, last=5, directory=None):
        super().__init__()
        if last < 1:
            raise ValueError(f"`last` must be at least 1. Received: last={last}")
        self.last = last
        self.directory = None if directory is None else Path(directory)
        self.num_averaged = 0
        self._kept = collections.deque(maxlen=last)
        self._paths = collections.deque(maxlen=last)  # where they are on the disk

    def on_train_begin(self, logs=None):
        """Forgets another run; Keras calls this."""
        self._kept.clear()
        self._paths.clear()
        self.num_averaged = 0
        if self.directory is not None:
            self._take_up(self.directory)

    def on_epoch_end(self, epoch, logs=None):
        """Keeps the weights of this epoch; Keras calls this."""
        self._kept.append(self._weights())
        if self.directory is not None:
            self._paths.append(self.directory / f"epoch_{epoch + 1:06d}.npz")
            with complete_file(self._paths[-1], overwrite=True) as beside:
                with beside.open("wb") as file:
                    np.savez(file, *self._kept[-1])
            self._remove_others(self.directory)

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

    def _take_up(self, directory):
        """Goes on with the files that end in the weights of now."""
        now, belongs = self._weights(), False
        for path in reversed(_files(directory)):
            arrays = _read(path)
            belongs = bool(arrays) and (belongs or _same(arrays, now))
            if belongs and len(self._kept) < self.last:
                self._kept.appendleft(arrays)
                self._paths.appendleft(path)

    def _remove_others(self, directory):
        unfinished = directory.glob(".epoch_*.npz-*")
        for path in {*_files(directory), *unfinished} - {*self._paths}:
            path.unlink()

    def _weights(self):
        return [np.array(to_numpy(weight)) for weight in self.model.weights]


def _files(directory):
    return sorted(directory.glob("epoch_*.npz"))


def _read(path):
    """The arrays of a file; none of one that is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [archive[name] for name in archive.files]
    except Exception:  # a damaged file can fail in any way
        return []


def _same(some, others):
    return len(some) == len(others) and all(map(np.array_equal, some, others))
