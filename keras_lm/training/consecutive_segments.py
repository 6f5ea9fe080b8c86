"""Trains a recurrent model on segments of which each continues the one before."""

import keras


@keras.saving.register_keras_serializable(package="keras_lm")
class ConsecutiveSegments(keras.Model):
    """A recurrent language model that goes on where the last batch ended.

    Row `i` of a batch continues row `i` of the one before, as a long text cut into as
    many rows as a batch has (Penn Treebank's way): states go on, gradients end at the
    segment (truncated backpropagation). It is compiled and fitted in place of the
    model, whose weights it trains; the model itself stays without a memory.

    Shapes: `B` batch, `T` steps, `V` vocabulary.

    Args:
        model: `models.LSTMLanguageModel`, or another with `empty_rows` and `read`.
        batch_size: int, at least 1, `B`: of every batch.

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
        >>> tuple(segments(keras.ops.ones((3, 7), "int32")).shape)
        (3, 7, 100)
        >>> callbacks = [segments.resets()]  # for `fit` and `evaluate`

    Source: https://arxiv.org/abs/1409.2329, section 4.1.
    """

    def __init__(self, model, batch_size, **kwargs):
        if batch_size < 1:
            raise ValueError(
                f"`batch_size` must be at least 1. Received: batch_size={batch_size}"
            )
        super().__init__(**kwargs)
        self.model = model
        self.batch_size = batch_size
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
        }

    @classmethod
    def from_config(cls, config):
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**{**config, "model": model})

    def reset_state(self):
        """Forgets what was read: the next batch begins texts."""
        for state in self.carried:
            state.assign(keras.ops.zeros_like(state.value))

    def resets(self):
        """A callback that forgets before every epoch and every evaluation.

        Returns:
            `keras.callbacks.Callback`, for `fit` and `evaluate`.
        """
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda *_: self.reset_state(),
            on_test_begin=lambda *_: self.reset_state(),
        )
