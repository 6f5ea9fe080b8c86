"""The loss that tells a text's match from everything else of the batch."""

import keras
from keras import ops

_NOWHERE = -1e9  # a logit that adds nothing to a softmax


@keras.saving.register_keras_serializable(package="keras_lm")
class ContrastiveCrossEntropy(keras.losses.Loss):
    """Cross-entropy of the right one among all others of a batch (InfoNCE).

    With the cosines `s_ij` of text `i` and other `j`, the temperature `t`, and `m` the
    match of text `i`:

        loss_i = log(exp(s_im / t) + sum over negatives j of exp(s_ij / t)) - s_im / t

    Symmetric, it is the mean of this and of the same for the match `m`, which is told
    from its other texts. What is left out is in neither sum. The mean over the texts is
    weighted. Computed in float32 whatever the dtype policy.

    Shapes: `B` texts, `C` others.

    Args:
        temperature: float, above 0. Cosines differ by 2 at most; the lower, the more
            the nearest negatives weigh. 0.05 is Sentence-BERT's (a scale of 20).
        symmetric: bool. Whether matches choose texts too.
        name: string. The name shown in logs.

    Call arguments:
        targets: float `(B, C)`: 1 for the match of a text, one in each row; 0 for a
            negative; -1 for what is left out: of `text.contrastive_dataset`.
        cosines: float `(B, C)`: of `models.DualEncoder`.
        sample_weight: float `(B,)`, or `None` to count all alike.

    Returns:
        float32 `()`, nats per text; at least 0.

    Raises:
        ValueError: `temperature` is not above 0.

    Example:
        >>> loss = ContrastiveCrossEntropy(temperature=0.1)
        >>> cosines = ops.array([[0.9, 0.2], [0.1, 0.8]])
        >>> ops.shape(loss(ops.eye(2), cosines))
        ()

    Source: https://arxiv.org/abs/1807.03748, section 2.3;
        https://arxiv.org/abs/1705.00652, section 4.4.
    """

    def __init__(
        self, temperature=0.05, symmetric=False, name="contrastive_cross_entropy"
    ):
        if not temperature > 0:
            raise ValueError(
                f"`temperature` must be above 0. Received: temperature={temperature}"
            )
        super().__init__(
            name=name, reduction="mean_with_sample_weight", dtype="float32"
        )
        self.temperature = temperature
        self.symmetric = symmetric

    def call(self, targets, cosines):
        logits = cosines / self.temperature
        own = ops.cast(ops.equal(targets, 1.0), logits.dtype)  # (B, C)
        counted = ops.where(targets >= 0, logits, _NOWHERE)
        right = ops.sum(own * logits, axis=1)  # (B,)
        losses = ops.logsumexp(counted, axis=1) - right
        if self.symmetric:
            columns = ops.logsumexp(counted, axis=0)  # (C,)
            back = ops.sum(own * columns, axis=1) - right
            losses = (losses + back) / 2
        return losses

    def get_config(self):
        return {
            "temperature": self.temperature,
            "symmetric": self.symmetric,
            "name": self.name,
        }
