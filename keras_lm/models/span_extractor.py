"""An encoder and where in a text its answer is: the head for spans."""

import keras
from keras import ops

from keras_lm.layers.masks import both, mask_scores
from keras_lm.models.encoder_head import EncoderHead


@keras.saving.register_keras_serializable(package="keras_lm")
class SpanExtractor(EncoderHead):
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

    INPUTS = ("token_ids", "padding_mask", "segment_ids", "context_mask")

    def __init__(self, encoder, dropout=0.1, seed=None, **kwargs):
        super().__init__(encoder, 2, dropout, seed, **kwargs)

    def call(self, inputs, training=None):
        segment_ids = inputs.get("segment_ids") if isinstance(inputs, dict) else None
        hidden = self.hidden(inputs, segment_ids, training)  # (B, T, D)
        logits = self.head(self.dropout_layer(hidden, training=training))  # (B, T, 2)
        allowed = _both(inputs.get("padding_mask"), inputs.get("context_mask"))
        if allowed is None:
            return logits
        is_first = ops.arange(ops.shape(logits)[1], dtype="int32") == 0
        allowed = ops.logical_or(allowed, is_first)  # (B, T)
        return mask_scores(logits, ops.expand_dims(allowed, -1))


def _both(padding_mask, context_mask):
    masks = (padding_mask, context_mask)
    return both(*(None if m is None else ops.cast(m, "bool") for m in masks))
