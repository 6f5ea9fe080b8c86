"""An encoder and what it says of each token: the head for tags, spans and roles."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_sizes
from keras_lm.models.encoder_head import EncoderHead


@keras.saving.register_keras_serializable(package="keras_lm")
class TokenClassifier(EncoderHead):
    """Logits of labels for each token of a text, which may have some tokens marked.

    With the encoder's vectors `hidden_1 .. hidden_T`:

        logits_t = W dropout(hidden_t) + b

    It is learned with `training.MaskedCrossEntropy`, which takes the loss where the
    weights of `text.tagging_dataset` are 1: at the first token of each word.

    Marks say which tokens a question is about: the predicate, whose arguments semantic
    roles are. They go in as the encoder's segments, 1 for a marked token, so every
    block sees them. (A pretrained encoder already tells its two segments apart; an
    embedding of our own, added to what it has learned to read, would start as noise,
    and behind the last block none of its attention could look for the predicate.)

    Shapes: `B` batch, `T` steps, `L` labels.

    Args:
        encoder: `models.TransformerEncoder`, or another model that is called as it is
            and has its `hidden_dim`, `vocabulary_size`, `max_sequence_length` and
            `num_segments`; two of these at least, if tokens are to be marked. It is
            trained too, unless `encoder.trainable` is false.
        num_labels: int, at least 1, `L`.
        dropout: float, 0 to 1. Fraction of each vector dropped in training.
        seed: int or `None`. Of this dropout.

    Call arguments:
        inputs: dict. `"token_ids"`, int `(B, T)`; `"padding_mask"`, bool `(B, T)`,
            `True` = real, may be left out; `"marks"`, int `(B, T)`, 1 = marked, else 0,
            may be left out.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, T, L)`: logits.

    Raises:
        TypeError: `encoder` is no such model.
        ValueError: `num_labels` or `dropout` is out of range; or a call has no token
            ids, an unknown key, or marks for an encoder of fewer than two segments.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=1, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20, num_segments=2)
        >>> model = TokenClassifier(encoder, num_labels=5)
        >>> token_ids, marks = np.array([[7, 8, 9]]), np.array([[0, 1, 0]])
        >>> tuple(model({"token_ids": token_ids, "marks": marks}).shape)
        (1, 3, 5)

    Source: https://arxiv.org/abs/1810.04805, section 5.3 (a label for the first token
        of a word); https://arxiv.org/abs/1904.05255 (semantic roles with BERT; differs
        in that the predicate is marked where it stands, not repeated behind the text).
    """

    INPUTS = ("token_ids", "padding_mask", "marks")

    def __init__(self, encoder, num_labels, dropout=0.1, seed=None, **kwargs):
        check_sizes(num_labels=num_labels)
        super().__init__(encoder, num_labels, dropout, seed, **kwargs)
        self.num_labels = num_labels

    def call(self, inputs, training=None):
        marks = inputs.get("marks") if isinstance(inputs, dict) else None
        if marks is not None:
            marks = self._segments(marks)
        hidden = self.hidden(inputs, marks, training)  # (B, T, D)
        return self.head(self.dropout_layer(hidden, training=training))  # (B, T, L)

    def get_config(self):
        return {**super().get_config(), "num_labels": self.num_labels}

    def _segments(self, marks):
        if self.encoder.num_segments < 2:
            raise ValueError(
                "`marks` need an encoder of at least two segments. Received: marks, "
                f"and num_segments={self.encoder.num_segments}"
            )
        return ops.cast(marks, "int32")
