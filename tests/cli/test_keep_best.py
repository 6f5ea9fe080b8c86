"""KeepBest: the best on disk, whatever epochs another process saw."""

import keras
import numpy as np
import pytest

from keras_lm.cli.keep_best import KeepBest

pytestmark = pytest.mark.once


class Pipeline:
    def __init__(self):
        self.saved = []

    def save(self, directory, overwrite):
        assert overwrite
        self.saved.append(directory)


class Measured(keras.callbacks.Callback):
    """Puts the BLEU of each epoch into the logs."""

    def __init__(self, bleus):
        super().__init__()
        self.bleus = bleus

    def on_epoch_end(self, epoch, logs=None):
        logs["val_bleu"] = self.bleus[epoch]


def train(bleus, history=None, patience=2):
    """Trains from where the history ends; gives what was saved and told."""
    pipeline, told = Pipeline(), []
    keep_best = KeepBest(pipeline, "best", history or {}, patience, told.append)
    start = len(keep_best.bleus)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(
        np.ones((4, 3)),
        np.ones((4, 2)),
        initial_epoch=start,
        epochs=len(bleus),
        callbacks=[Measured(bleus), keep_best],
        verbose=0,
    )
    return keep_best, len(pipeline.saved), told


def test_each_better_epoch_is_saved_and_training_stops_when_none_is():
    keep_best, num_saved, told = train([1.0, 3.0, 2.0, 3.0, 9.0])

    assert num_saved == 2
    assert (keep_best.best, keep_best.best_epoch) == (3.0, 1)
    assert told == [
        "Epoch 1: held-out BLEU 1.00, the best so far.",
        "Epoch 2: held-out BLEU 3.00, the best so far.",
        "Epoch 3: held-out BLEU 2.00; the best is 3.00 of epoch 2.",
        "Epoch 4: held-out BLEU 3.00; the best is 3.00 of epoch 2.",
        "Training stops: 2 epochs in a row were no better.",
    ]


def test_a_resumed_run_remembers_the_epochs_before():
    bleus = [1.0, 3.0, 2.0, 2.5, 9.0]
    _, _, whole = train(bleus)

    keep_best, num_saved, told = train(bleus, {"val_bleu": bleus[:3]})

    assert told == whole[3:]
    assert num_saved == 0
    assert keep_best.best_epoch == 1
