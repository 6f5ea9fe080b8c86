"""The loss of replaced-token detection."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class ReplacedTokenCrossEntropy(keras.losses.Loss):
    """Cross-entropy of "replaced" against "original", of every token that counts.

    For the logit `z` of a token and `r = 1` if what was shown is not what stood there,
    else 0:

        loss = log(1 + exp(z)) - r z

    A replacement that happens to be the original token is an original. The mean is
    weighted: `sum(weight loss) / sum(weight)`, and 0 when no token counts. Computed in
    float32 whatever the dtype policy.

    Shapes: `B` batch, `T` steps.

    Args:
        name: string. The name shown in logs.

    Call arguments:
        token_ids: int `(B, T)`. The text as it was.
        detections: float `(B, T, 2)`: logits, and the tokens that were shown, as
            `models.ReplacedTokenDetector` gives them.
        sample_weight: float or bool `(B, T)`: 0 for padding. `None` counts all.

    Returns:
        float32 `()`, nats per token; at least 0.

    Example:
        >>> loss = ReplacedTokenCrossEntropy()
        >>> shown = ops.array([[[0.0, 5.0], [0.0, 6.0]]])
        >>> ops.shape(loss(ops.array([[5, 7]]), shown))
        ()

    Source: https://arxiv.org/abs/2003.10555, section 2.
    """

    def __init__(self, name="replaced_token_cross_entropy"):
        super().__init__(
            name=name, reduction="mean_with_sample_weight", dtype="float32"
        )

    def call(self, token_ids, detections):
        logits, shown = detections[..., 0], detections[..., 1]
        is_replaced = ops.not_equal(shown, ops.cast(token_ids, shown.dtype))
        replaced = ops.cast(is_replaced, logits.dtype)
        return ops.softplus(logits) - replaced * logits

    def get_config(self):
        return {"name": self.name}
