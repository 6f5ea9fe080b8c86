"""The loss of answers that are spans of a text."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class SpanCrossEntropy(keras.losses.Loss):
    """Mean cross-entropy of the token where a span begins and of that where it ends.

        loss = -(log softmax(starts)[start] + log softmax(ends)[end]) / 2

    over all tokens of a row; where there is no answer, start and end are 0, the first
    token. The mean over the rows is weighted: `sum(weight loss) / sum(weight)`, and 0
    when no row counts.

    Shapes: `B` batch, `T` steps.

    Args:
        name: string. The name shown in logs.

    Call arguments:
        spans: int `(B, 2)`, below `T`: the first and the last token of each answer.
        logits: float `(B, T, 2)`, as `models.SpanExtractor` gives them.
        sample_weight: float or bool `(B,)`. `None` counts all alike.

    Returns:
        float32 `()`, nats; at least 0.

    Example:
        >>> loss = SpanCrossEntropy()
        >>> ops.shape(loss(ops.array([[2, 3]]), ops.zeros((1, 7, 2))))
        ()

    Source: https://arxiv.org/abs/1810.04805, section 4.2.
    """

    def __init__(self, name="span_cross_entropy"):
        super().__init__(
            name=name, reduction="mean_with_sample_weight", dtype="float32"
        )

    def call(self, spans, logits):
        log_shares = ops.log_softmax(logits, axis=1)  # (B, T, 2)
        places = ops.expand_dims(ops.cast(spans, "int32"), 1)  # (B, 1, 2)
        chosen = ops.take_along_axis(log_shares, places, axis=1)
        return -ops.mean(chosen, axis=(1, 2))  # (B,)

    def get_config(self):
        return {"name": self.name}
