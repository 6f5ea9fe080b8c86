"""A callback that keeps the best translator on disk, and stops when none is better."""

from collections.abc import Callable
from pathlib import Path

import keras

LEAST_BLEU = 1.0  # what is below says nothing


class KeepBest(keras.callbacks.Callback):
    """Saves the pipeline of the best `val_bleu`, over interruptions too.

    Of epochs with one BLEU the one of the lower `val_loss` is best, and so it is of
    those whose BLEU is below 1. Training stops when neither BLEU nor loss got better
    for a while: the loss falls before the first answers are right, and may rise while
    they get better still.

    `training.BleuCallback` holds the best weights in memory, where an interrupted run
    loses them, with what it knew of earlier epochs. This one reads the earlier epochs
    from the history of the run's `ResumableCheckpoint`, and keeps the best pipeline
    beside the checkpoints.

    In a list of callbacks it stands after what measures `val_bleu` and before the
    checkpoint, which then never knows of a best that is not on disk.

    Args:
        pipeline: has `save`.
        directory: path of the best one, replaced by each better.
        history: dictionary that `ResumableCheckpoint` keeps, of earlier epochs.
        patience: int, at least 1: stops after so many epochs without a better one.
        notify: function of one string.

    Example:
        >>> history = {"val_bleu": [1.5, 3.0, 2.0], "val_loss": [4.0, 3.0, 3.5]}
        >>> keep_best = KeepBest(None, "best", history, patience=4)
        >>> keep_best.best, keep_best.best_epoch
        (3.0, 1)
    """

    def __init__(
        self,
        pipeline,
        directory: Path,
        history: dict,
        patience: int,
        notify: Callable[[str], object] = print,
    ):
        super().__init__()
        self.pipeline = pipeline
        self.directory = directory
        self.patience = patience
        self.notify = notify
        self.bleus = list(history.get("val_bleu", []))
        self.losses = list(history.get("val_loss", []))

    @property
    def best(self) -> float:
        """The BLEU of the best epoch so far."""
        return self.bleus[self.best_epoch]

    @property
    def best_epoch(self) -> int:
        """The epoch that had it, counted from 0."""
        counted = [bleu if bleu >= LEAST_BLEU else 0.0 for bleu in self.bleus]
        ranks = list(zip(counted, (-loss for loss in self.losses), strict=True))
        return ranks.index(max(ranks))

    @property
    def waited(self) -> int:
        """How many epochs neither BLEU nor loss got better."""
        if not self.bleus:
            return 0
        lowest = self.losses.index(min(self.losses))
        return len(self.bleus) - 1 - max(self.best_epoch, lowest)

    @property
    def is_over(self) -> bool:
        """Whether training stops here."""
        return self.waited >= self.patience

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        """Saves or waits; Keras calls this.

        Args:
            epoch: int, from 0.
            logs: dictionary with `val_bleu` and `val_loss`.
        """
        model = self.model  # before `save`: on JAX this brings the weights back
        self.bleus.append(logs["val_bleu"])
        self.losses.append(logs["val_loss"])
        told = f"Epoch {epoch + 1}: held-out BLEU {self.bleus[-1]:.2f}"
        if self.best_epoch == epoch:
            self.pipeline.save(self.directory, overwrite=True)
            self.notify(f"{told}, the best so far.")
            return
        best = f"{self.best:.2f} of epoch {self.best_epoch + 1}"
        self.notify(f"{told}; the best is {best}.")
        if self.is_over:
            model.stop_training = True
            self.notify(
                f"Training stops: in {self.waited} epochs neither BLEU nor the "
                "held-out loss got better."
            )
