"""A callback that translates held-out texts and goes by their BLEU."""

import math
from collections.abc import Callable, Sequence

import keras

from keras_lm.training.compare_texts import compare_texts


class BleuCallback(keras.callbacks.Callback):
    """Measures BLEU of decoded texts, stops when it no longer rises, keeps the best.

    What counts is the text that a user would read, not a guess of token after token
    with the truth before each. `val_bleu` comes into the logs, so the history, the
    progress bar and callbacks later in the list (`ModelCheckpoint`) see it; in an
    epoch without an evaluation it is missing.

    Args:
        translate: callable, list of strings to list of strings: a pipeline, or
            `lambda texts: pipeline(texts, beam_size=1)`, with the model that is
            trained.
        pairs: held-out `(source, reference)` pairs of strings.
        every: int, at least 1. Evaluates after so many epochs, and after the last.
        patience: int, at least 1: how many evaluations in a row may bring no better
            BLEU before training stops. `None` never stops it.
        restore_best_weights: bool. Whether the model ends with the weights of the best
            evaluation, one copy of which is held in memory.
        notify: function of one string.
        **options: of `compare_texts`: `lowercase`, `tokenize` ("zh" for Chinese).

    Attributes `best`, `best_epoch` (counted from 0) and `signature` (sacrebleu's) tell
    the rest.

    Raises:
        ImportError: sacrebleu is not installed (the extra `evaluate`).
        TypeError: an option is unknown to `compare_texts`.
        ValueError: a number is below 1, there is no pair, or `translate` gives another
            number of texts.

    Example:
        >>> bleu = BleuCallback(lambda texts: texts, [("so it goes on",) * 2], every=2)
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((4, 3)), np.ones((4, 2)), epochs=2,
        ...     callbacks=[bleu], verbose=0)
        Epoch 2: val_bleu 100.00, the best so far.
        >>> len(history.history["val_bleu"])
        1

    Source: https://arxiv.org/abs/1804.08771
    """

    def __init__(
        self,
        translate: Callable,
        pairs: Sequence,
        every: int = 1,
        patience: int | None = None,
        restore_best_weights: bool = False,
        notify: Callable[[str], object] = print,
        **options,
    ):
        super().__init__()
        for name, value in [("every", every), ("patience", patience)]:
            if value is not None and value < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={value}"
                )
        if not len(pairs):
            raise ValueError("`pairs` must hold at least one pair. Received: none")
        self.translate = translate
        self.sources, self.references = (
            list(side) for side in zip(*pairs, strict=True)
        )
        self.every = every
        self.patience = patience
        self.restore_best_weights = restore_best_weights
        self.notify = notify
        self.options = options
        # What cannot work fails now, not after an epoch.
        self._bleu(self.references)
        self._forget()

    def on_train_begin(self, logs=None):
        """Forgets another run; Keras calls this."""
        self._forget()

    def on_epoch_end(self, epoch, logs=None):
        """Translates and compares; Keras calls this."""
        is_last = epoch + 1 == (self.params or {}).get("epochs")
        if (epoch + 1) % self.every and not is_last:
            return
        model = self.model  # before `translate`: on JAX this brings the weights back
        metric = self._bleu(self.translate(list(self.sources)))
        self.signature = metric.signature
        if logs is not None:
            logs["val_bleu"] = metric.value
        is_best = metric.value > self.best
        told = f"Epoch {epoch + 1}: val_bleu {metric.value:.2f}"
        if is_best:
            self.best, self.best_epoch, self._waited = metric.value, epoch, 0
            if self.restore_best_weights:
                self._best_weights = model.get_weights()
            self.notify(f"{told}, the best so far.")
            return
        self._waited += 1
        self.notify(
            f"{told}; the best is {self.best:.2f} of epoch {self._best_number}."
        )
        if self.patience is not None and self._waited >= self.patience:
            model.stop_training = True
            self.notify(
                f"Training stops: {self._waited} evaluations in a row were no better."
            )

    def on_train_end(self, logs=None):
        """Puts the best weights back if asked; Keras calls this."""
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)
            self.notify(f"The weights are those of epoch {self._best_number}.")
            self._best_weights = None

    @property
    def _best_number(self):
        return self.best_epoch + 1

    def _forget(self):
        self.best, self.best_epoch, self._waited = -math.inf, -1, 0
        self.signature = self._best_weights = None

    def _bleu(self, texts):
        found = compare_texts(texts, self.references, ["bleu"], **self.options)
        return found["bleu"]
