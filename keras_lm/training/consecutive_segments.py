"""Trains a recurrent model on segments of which each continues the one before."""

import keras


@keras.saving.register_keras_serializable(package="keras_lm")
class ConsecutiveSegments(keras.Model):
    """A recurrent language model that goes on where the last batch ended.

    Row `i` of a batch continues row `i` of the one before, as a long text cut into as
    many rows as a batch has (Penn Treebank's way): states go on, gradients end at the
    segment (truncated backpropagation). It is compiled and fitted in place of the
    model, whose weights it trains; the model itself stays without a memory.
    `text.consecutive_segments` makes such batches. Each epoch of `fit`, each evaluation
    and each prediction begins texts: what was read before is forgotten.

    Shapes: `B` batch, `T` steps, `V` vocabulary.

    Args:
        model: `models.LSTMLanguageModel`, or another with `empty_rows` and `read`.
        batch_size: int, at least 1, `B`: of every batch.
        carry_over: bool. Whether these go on from what was read last, for a text
            without end; `reset_state` forgets it.

    Call arguments:
        token_ids: int `(B, T)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, T, V)`: logits of the token after each position.

    Raises:
        ValueError: `batch_size` is below 1, or a batch has another.

    Example:
        >>> model = keras_lm.models.LSTMLanguageModel(
        ...     vocabulary_size=100, embedding_dim=8, hidden_dim=16, num_layers=2)
        >>> segments = ConsecutiveSegments(model, batch_size=3)
        >>> arrays = keras_lm.text.consecutive_segments(np.arange(100), 3, 7)
        >>> tuple(segments(arrays[0][:3]).shape)  # or `fit(*arrays, batch_size=3, ..)`
        (3, 7, 100)

    Source: https://arxiv.org/abs/1409.2329, section 4.1.
    """

    def __init__(self, model, batch_size, carry_over=False, **kwargs):
        if batch_size < 1:
            raise ValueError(
                f"`batch_size` must be at least 1. Received: batch_size={batch_size}"
            )
        super().__init__(**kwargs)
        self.model = model
        self.batch_size = batch_size
        self.carry_over = carry_over
        self.carried = [
            self.add_weight(
                name=f"carried_{i}",
                shape=tuple(array.shape),
                dtype=array.dtype,
                initializer="zeros",
                trainable=False,
            )
            for i, array in enumerate(keras.tree.flatten(model.empty_rows(batch_size)))
        ]
        self.built = True

    def call(self, token_ids, padding_mask=None, training=None):
        if token_ids.shape[0] not in (None, self.batch_size):
            raise ValueError(
                f"Each batch must have batch_size={self.batch_size} rows. "
                f"Received: token_ids of shape {tuple(token_ids.shape)}"
            )
        # Copies, since the variables are assigned to below.
        carried = [keras.ops.copy(state.value) for state in self.carried]
        rows = keras.tree.pack_sequence_as(
            self.model.empty_rows(self.batch_size), carried
        )
        logits, rows = self.model.read(token_ids, rows, padding_mask, training)
        for state, new in zip(self.carried, keras.tree.flatten(rows), strict=True):
            state.assign(keras.ops.stop_gradient(new))
        return logits

    def get_config(self):
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "batch_size": self.batch_size,
            "carry_over": self.carry_over,
        }

    @classmethod
    def from_config(cls, config):
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**{**config, "model": model})

    def reset_state(self):
        """Forgets what was read: the next batch begins texts."""
        for state in self.carried:
            state.assign(keras.ops.zeros_like(state.value))

    def fit(self, *args, callbacks=None, **options):
        """`keras.Model.fit`, with callbacks by name; each epoch begins texts."""
        return super().fit(*args, callbacks=self._forgetting(callbacks), **options)

    def evaluate(self, *args, callbacks=None, **options):
        """`keras.Model.evaluate`, with callbacks by name; it begins texts."""
        return super().evaluate(*args, callbacks=self._forgetting(callbacks), **options)

    def predict(self, *args, callbacks=None, **options):
        """`keras.Model.predict`, with callbacks by name; it begins texts."""
        return super().predict(*args, callbacks=self._forgetting(callbacks), **options)

    def _forgetting(self, callbacks):
        """The callbacks, and one that forgets at every beginning."""
        inside_fit = isinstance(callbacks, keras.callbacks.CallbackList)
        if self.carry_over or inside_fit:  # where `fit` evaluates, it is among them
            return callbacks
        begins = ("on_epoch_begin", "on_test_begin", "on_predict_begin")
        forget = {name: lambda *_: self.reset_state() for name in begins}
        others = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
        others = [one for one in others if one is not None]
        return [keras.callbacks.LambdaCallback(**forget), *others]
