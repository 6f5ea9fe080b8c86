"""An encoder and what it says of a whole text: the head for classes of texts."""

import keras

from keras_lm.layers.arguments import check_sizes
from keras_lm.models.encoder_head import EncoderHead


@keras.saving.register_keras_serializable(package="keras_lm")
class SequenceClassifier(EncoderHead):
    """Logits of classes for a text, or for a pair of texts.

    With the encoder's vectors `hidden_1 .. hidden_T`:

        logits = W dropout(pool(hidden_1 .. hidden_T)) + b

    `pool` is the encoder's own. One class of several is learned with
    `SparseCategoricalCrossentropy(from_logits=True)`, any number of them at once
    (multi-label) with `BinaryCrossentropy(from_logits=True)`;
    `text.classification_dataset` gives what `fit` takes.

    Shapes: `B` batch, `T` steps.

    Args:
        encoder: `models.TransformerEncoder`, `models.LSTMEncoder`, or another model
            that is called as they are and has their `pool`, `hidden_dim`,
            `vocabulary_size`, `max_sequence_length` and `num_segments`. It is trained
            too, unless `encoder.trainable` is false.
        num_classes: int, at least 1.
        dropout: float, 0 to 1. Fraction of the pooled vector dropped in training.
        seed: int or `None`. Of this dropout.

    Call arguments:
        inputs: dict. `"token_ids"`, int `(B, T)`; `"padding_mask"`, bool `(B, T)`,
            `True` = real, may be left out; `"segment_ids"`, int `(B, T)`, may be left
            out, and are not looked at where the encoder knows fewer than two segments:
            it has the separator to go by.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, num_classes)`: logits.

    Raises:
        TypeError: `encoder` is no such model.
        ValueError: `num_classes` or `dropout` is out of range; or a call has no token
            ids or an unknown key.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=1, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> model = SequenceClassifier(encoder, num_classes=3)
        >>> tuple(model({"token_ids": ops.ones((2, 7), "int32")}).shape)
        (2, 3)

    Source: https://arxiv.org/abs/1810.04805, section 4.1.
    """

    NEEDS = ("pool", *EncoderHead.NEEDS)

    def __init__(self, encoder, num_classes, dropout=0.1, seed=None, **kwargs):
        check_sizes(num_classes=num_classes)
        super().__init__(encoder, num_classes, dropout, seed, **kwargs)
        self.num_classes = num_classes

    def call(self, inputs, training=None):
        segment_ids = inputs.get("segment_ids") if isinstance(inputs, dict) else None
        hidden = self.hidden(inputs, segment_ids, training)  # (B, T, D)
        pooled = self.encoder.pool(hidden, inputs.get("padding_mask"))  # (B, D)
        return self.head(self.dropout_layer(pooled, training=training))

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}
