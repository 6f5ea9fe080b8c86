"""An encoder and where in a text its answer is: the head for spans."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_dropout
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.masks import both, mask_scores

_INPUTS = ("token_ids", "padding_mask", "segment_ids", "context_mask")
_OF_ENCODERS = ("hidden_dim", "num_segments")


@keras.saving.register_keras_serializable(package="keras_lm")
class SpanExtractor(keras.Model):
    """Logits of where an answer begins and ends, for each token of a text.

    With the encoder's vectors `hidden_1 .. hidden_T`:

        (start_t, end_t) = W dropout(hidden_t) + b

    Tokens that are no context, the question's and padding, get logits so low that no
    answer is there; the first token of a row, BERT's `[CLS]`, is left: where it is both
    start and end, there is no answer. Learned with `training.SpanCrossEntropy`;
    `text.question_answering_dataset` gives what `fit` takes.

    Shapes: `B` batch, `T` steps.

    Args:
        encoder: `models.TransformerEncoder`, or another model that is called as it is
            and has its `hidden_dim`, `vocabulary_size`, `max_sequence_length` and
            `num_segments`. It is trained too, unless `encoder.trainable` is false.
        dropout: float, 0 to 1. Fraction of the vectors dropped in training.
        seed: int or `None`. Of this dropout.

    Call arguments:
        inputs: dict. `"token_ids"`, int `(B, T)`; `"padding_mask"`, bool `(B, T)`,
            `True` = real, may be left out; `"segment_ids"`, int `(B, T)`, may be left
            out, and are not looked at where the encoder knows fewer than two segments;
            `"context_mask"`, bool `(B, T)`, `True` where an answer may begin or end,
            all real tokens when it is left out.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, T, 2)`: logits of the start and of the end.

    Raises:
        TypeError: `encoder` is no such model.
        ValueError: `dropout` is out of range; or a call has no token ids or an unknown
            key.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=1, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> model = SpanExtractor(encoder)
        >>> tuple(model({"token_ids": ops.ones((2, 7), "int32")}).shape)
        (2, 7, 2)

    Source: https://arxiv.org/abs/1810.04805, sections 4.2 and 4.3.
    """

    def __init__(self, encoder, dropout=0.1, seed=None, **kwargs):
        known = all(hasattr(encoder, name) for name in _OF_ENCODERS)
        if not (isinstance(encoder, keras.Model) and known):
            raise TypeError(
                "`encoder` must be a model with `hidden_dim` and `num_segments`, as "
                f"`models.TransformerEncoder`. Received: encoder={encoder!r:.80}"
            )
        check_dropout(dropout)
        super().__init__(**kwargs)
        self.encoder = encoder
        self.dropout = dropout
        self.seed = seed
        self.dropout_layer = Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )
        self.head = keras.layers.Dense(2, dtype="float32", name="head")
        self.build({"token_ids": (None, None)})

    def build(self, inputs_shape):
        if self.built:
            return
        if not self.encoder.built:
            self.encoder.build(inputs_shape["token_ids"])
        self.head.build((None, None, self.encoder.hidden_dim))
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
        logits = self.head(self.dropout_layer(hidden, training=training))  # (B, T, 2)
        allowed = _both(padding_mask, inputs.get("context_mask"))
        if allowed is None:
            return logits
        is_first = ops.arange(ops.shape(logits)[1], dtype="int32") == 0
        allowed = ops.logical_or(allowed, is_first)  # (B, T)
        return mask_scores(logits, ops.expand_dims(allowed, -1))

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        encoder.pop("compile_config", None)  # how it was trained before is no setting
        return {
            **super().get_config(),
            "encoder": encoder,
            "dropout": self.dropout,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})


def _both(padding_mask, context_mask):
    masks = (padding_mask, context_mask)
    return both(*(None if m is None else ops.cast(m, "bool") for m in masks))


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
