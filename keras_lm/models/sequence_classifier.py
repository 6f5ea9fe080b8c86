"""An encoder and what it says of a whole text: the head for classes of texts."""

import keras

from keras_lm.layers.arguments import check_dropout, check_sizes
from keras_lm.layers.dropout import Dropout
from keras_lm.models.quantized_layers import made_from, quantized_layers

_INPUTS = ("token_ids", "padding_mask", "segment_ids")


@keras.saving.register_keras_serializable(package="keras_lm")
class SequenceClassifier(keras.Model):
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

    def __init__(self, encoder, num_classes, dropout=0.1, seed=None, **kwargs):
        if not (isinstance(encoder, keras.Model) and hasattr(encoder, "pool")):
            raise TypeError(
                "`encoder` must be a model with `pool`, as `models.TransformerEncoder` "
                f"or `models.LSTMEncoder`. Received: encoder={encoder!r:.80}"
            )
        check_sizes(num_classes=num_classes)
        check_dropout(dropout)
        super().__init__(**kwargs)
        self.encoder = encoder
        self.num_classes = num_classes
        self.dropout = dropout
        self.seed = seed
        self.dropout_layer = Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )
        self.head = keras.layers.Dense(num_classes, dtype="float32", name="head")
        self.build({"token_ids": (None, None)})

    def build(self, inputs_shape):
        if self.built:
            return
        if not self.encoder.built:
            self.encoder.build(inputs_shape["token_ids"])
        self.head.build((None, self.encoder.hidden_dim))
        self.built = True

    def call(self, inputs, training=None):
        _check_inputs(inputs)
        more = {}
        if self.encoder.num_segments > 1 and inputs.get("segment_ids") is not None:
            more["segment_ids"] = inputs["segment_ids"]
        padding_mask = inputs.get("padding_mask")
        hidden = self.encoder(
            inputs["token_ids"], padding_mask=padding_mask, training=training, **more
        )  # (B, T, D)
        pooled = self.encoder.pool(hidden, padding_mask)  # (B, D)
        return self.head(self.dropout_layer(pooled, training=training))

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        encoder.pop("compile_config", None)  # how it was trained before is no setting
        return {
            **super().get_config(),
            "encoder": encoder,
            "num_classes": self.num_classes,
            "dropout": self.dropout,
            "seed": self.seed,
            **quantized_layers(self),
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return made_from(cls, {**config, "encoder": encoder})


def _check_inputs(inputs):
    if not isinstance(inputs, dict) or "token_ids" not in inputs:
        raise ValueError(
            '`inputs` must be a dictionary with "token_ids". Received: '
            + (str(sorted(inputs)) if isinstance(inputs, dict) else f"{inputs!r:.80}")
        )
    unknown = sorted(set(inputs) - set(_INPUTS))
    if unknown:
        raise ValueError(
            f"`inputs` must have keys among {list(_INPUTS)}. Received: {unknown}"
        )
