"""A callback that lets a Bayesian model learn first and be held to its prior later."""

import keras

from keras_lm.training.predict_mc import bayesian_layers


class AnnealKL(keras.callbacks.Callback):
    """Ramps the `kl_weight` of every `BayesianAttention` linearly from 0.

        kl_weight = target min(1, done / length)

    where `done` counts optimizer steps, or epochs, from the very first one: a run that
    is resumed (`ResumableCheckpoint`) goes on where its ramp was. Nothing is compiled
    again. While the ramp is over steps, each step waits for the one before it.

    Args:
        steps: int, at least 1. Length of the ramp in optimizer steps; or
        epochs: int, at least 1. Its length in epochs; exactly one of the two.
        target: float, at least 0. The last `kl_weight`. What each layer was
            constructed with when `None`.

    Raises:
        ValueError: both or none of `steps` and `epochs`, a number outside its range,
            or the model has no `BayesianAttention`.

    Example:
        >>> layer = keras_lm.layers.BayesianAttention(2, 8, kl_weight=0.2)
        >>> model = keras.Sequential([keras.Input((7, 16)), layer])
        >>> model.compile("sgd", "mse")
        >>> x = np.ones((12, 7, 16))
        >>> anneal = AnnealKL(steps=10)
        >>> history = model.fit(x, x, batch_size=2, callbacks=[anneal], verbose=0)
        >>> print(f"{float(layer.kl_weight):.2f}")  # of the last of 6 steps
        0.10

    Source: https://arxiv.org/abs/1511.06349, section 3.1.
    """

    def __init__(self, steps=None, epochs=None, target=None):
        super().__init__()
        if (steps is None) == (epochs is None):
            raise ValueError(
                "Exactly one of `steps` and `epochs` must be given. "
                f"Received: steps={steps}, epochs={epochs}"
            )
        name, length = ("epochs", epochs) if steps is None else ("steps", steps)
        if length is None or length < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={length}")
        if target is not None and target < 0:
            raise ValueError(f"`target` must be at least 0. Received: target={target}")
        self.steps = steps
        self.epochs = epochs
        self.target = target
        self._is_over = False

    def on_train_begin(self, logs=None):
        """Refuses a model with nothing to anneal; Keras calls this."""
        if not bayesian_layers(self.model):
            raise ValueError(
                "The model must hold a `BayesianAttention` layer. "
                f"Received: {self.model.name}"
            )
        self._is_over = False

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the weight where the ramp is over epochs; Keras calls this."""
        if self.epochs is not None:
            self._set(epoch / self.epochs)

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the weight where the ramp is over steps; Keras calls this."""
        if self.steps is not None and not self._is_over:
            self._set(int(self.model.optimizer.iterations) / self.steps)

    def _set(self, share):
        self._is_over = share >= 1
        # On JAX, `self.model` first brings to the variables what the steps changed.
        for layer in bayesian_layers(self.model):
            target = layer.full_kl_weight if self.target is None else self.target
            layer.kl_weight.assign(target * min(1.0, share))
