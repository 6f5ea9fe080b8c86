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
    """Puts BLEU and loss of each epoch into the logs."""

    def __init__(self, history):
        super().__init__()
        self.history = history

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.history.items()})


def train(bleus, losses, resumed_after=0, patience=2):
    """Trains from an epoch on; gives what was saved and told."""
    history = {"val_bleu": bleus, "val_loss": losses}
    before = {name: values[:resumed_after] for name, values in history.items()}
    pipeline, told = Pipeline(), []
    keep_best = KeepBest(pipeline, "best", before, patience, told.append)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(
        np.ones((4, 3)),
        np.ones((4, 2)),
        initial_epoch=resumed_after,
        epochs=len(bleus),
        callbacks=[Measured(history), keep_best],
        verbose=0,
    )
    return keep_best, len(pipeline.saved), told


def test_each_better_epoch_is_saved_and_training_stops_when_none_is():
    keep_best, num_saved, told = train([1.0, 3.0, 2.0, 2.5, 9.0], [4, 3, 5, 6, 2])

    assert num_saved == 2
    assert (keep_best.best, keep_best.best_epoch) == (3.0, 1)
    assert told == [
        "Epoch 1: held-out BLEU 1.00, the best so far.",
        "Epoch 2: held-out BLEU 3.00, the best so far.",
        "Epoch 3: held-out BLEU 2.00; the best is 3.00 of epoch 2.",
        "Epoch 4: held-out BLEU 2.50; the best is 3.00 of epoch 2.",
        "Training stops: in 2 epochs neither BLEU nor the held-out loss got better.",
    ]


def test_training_goes_on_while_the_loss_falls_or_bleu_rises():
    # BLEU is 0, then wavers while the loss falls; then it rises, and the loss too.
    bleus = [0.0, 0.0, 0.0, 1.0, 0.9, 0.8, 2.0, 1.0, 3.0]
    losses = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 5.0, 6.0, 7.0]

    keep_best, num_saved, told = train(bleus, losses)

    assert len(keep_best.bleus) == len(bleus)
    assert num_saved == 6
    assert keep_best.best_epoch == 8
    assert told[1] == "Epoch 2: held-out BLEU 0.00, the best so far."


def test_below_a_bleu_of_1_the_loss_decides():
    bleus, losses = [0.48, 0.0, 0.99, 0.3], [9.0, 7.0, 6.5, 6.0]

    _, num_saved, told = train(bleus, losses)
    _, with_answers, _ = train([*bleus, 1.2, 0.9], [*losses, 6.2, 5.0])

    assert num_saved == 4
    assert told[3] == "Epoch 4: held-out BLEU 0.30, the best so far."
    assert with_answers == 5


def test_a_resumed_run_remembers_the_epochs_before():
    bleus, losses = [1.0, 3.0, 2.0, 2.5, 9.0], [4.0, 3.0, 5.0, 6.0, 2.0]
    _, _, whole = train(bleus, losses)

    keep_best, num_saved, told = train(bleus, losses, resumed_after=3)

    assert told == whole[3:]
    assert num_saved == 0
    assert keep_best.best_epoch == 1


@pytest.mark.parametrize(("done", "over"), [(0, False), (3, False), (4, True)])
def test_a_run_that_had_stopped_is_known(done, over):
    history = {"val_bleu": [1.0, 3.0, 2.0, 2.5], "val_loss": [4.0, 3.0, 5.0, 6.0]}
    before = {name: values[:done] for name, values in history.items()}

    assert KeepBest(None, "best", before, patience=2).is_over == over
