"""The loss of pairs whose similarity people have judged."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class SimilarityError(keras.losses.Loss):
    """Mean squared error of the cosines that weigh something.

        loss = sum(weight (cosine - similarity)^2) / sum(weight)

    and 0 where nothing weighs. Differs from `keras.losses.MeanSquaredError` in that
    every cosine has a weight of its own. Computed in float32 whatever the dtype policy.

    Shapes: `B` texts, `C` others.

    Args:
        name: string. The name shown in logs.

    Call arguments:
        similarities: float `(B, C)`, -1 to 1.
        cosines: float `(B, C)`: of `models.DualEncoder`.
        sample_weight: float `(B, C)`, 0 for what was not judged: of
            `text.similarity_dataset`. `None` counts all alike.

    Returns:
        float32 `()`; at least 0.

    Example:
        >>> loss = SimilarityError()
        >>> ops.shape(loss(ops.eye(2), ops.ones((2, 2)), ops.eye(2)))
        ()

    Source: https://arxiv.org/abs/1908.10084, section 3 (regression objective).
    """

    def __init__(self, name="similarity_error"):
        super().__init__(
            name=name, reduction="mean_with_sample_weight", dtype="float32"
        )

    def call(self, similarities, cosines):
        return ops.square(cosines - similarities)

    def get_config(self):
        return {"name": self.name}
