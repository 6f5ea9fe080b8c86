"""A callback that lets layers learn one after the other, the last ones first."""

import keras

from keras_lm.text.check_at_least import check_at_least
from keras_lm.training.layerwise_rates import LayerwiseRates


class GradualUnfreezing(keras.callbacks.Callback):
    """Opens one more group of a `LayerwiseRates` every so many epochs.

        open groups in epoch e = min(1 + e // epochs, G),    e = 0, 1, ..

    At first the head learns alone, so that what it does before it knows anything does
    not spoil a pretrained encoder. At the end of training all groups are open.

    Nothing is compiled again, for the groups are closed by a variable. The optimizer
    sees the gradients of closed groups too: Adam's moments are up to date when a group
    opens, its weights are exactly as they were, weight decay included, and a step costs
    what it always costs. (To save that, `freeze` them and `fit` twice: the second
    optimizer then begins with moments of 0.)

    Shapes: `G` groups.

    Args:
        epochs: int, at least 1. How long a group waits for the next one.

    Raises:
        ValueError: `epochs` is no int or below 1, or the model was not compiled with a
            `LayerwiseRates`.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=1, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> model = keras_lm.models.SequenceClassifier(encoder, num_classes=2)
        >>> optimizer = keras_lm.training.LayerwiseRates("adam", decay=1.0)
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile(optimizer, loss)
        >>> history = model.fit(
        ...     {"token_ids": np.ones((4, 7), "int32")}, np.zeros(4), epochs=3,
        ...     callbacks=[GradualUnfreezing()], verbose=0)
        >>> len(history.epoch)
        3

    Source: https://arxiv.org/abs/1801.06146, section 3.3.
    """

    def __init__(self, epochs: int = 1):
        super().__init__()
        check_at_least(1, epochs=epochs)
        self.epochs = epochs

    def on_train_begin(self, logs=None):
        """Refuses an optimizer without groups; Keras calls this."""
        self._rates()

    def on_epoch_begin(self, epoch, logs=None):
        """Opens what is due; Keras calls this."""
        rates = self._rates()
        rates.open_groups(min(1 + epoch // self.epochs, rates.num_groups))

    def on_train_end(self, logs=None):
        """Opens all groups; Keras calls this."""
        rates = self._rates()
        rates.open_groups(rates.num_groups)

    def _rates(self) -> LayerwiseRates:
        # On JAX, `self.model` first brings to the variables what the steps changed.
        optimizer = self.model.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        if not isinstance(inner, LayerwiseRates):
            raise ValueError(
                "The model must be compiled with a `training.LayerwiseRates`. "
                f"Received: {type(inner).__name__}"
            )
        if not optimizer.built:  # TensorFlow would build it in the first step
            optimizer.build(self.model.trainable_variables)
        return inner
