"""The loss of a language model: nats per token, padding left out."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class MaskedCrossEntropy(keras.losses.Loss):
    """Cross-entropy of the next token, as a mean over the tokens that count.

    For logits `z` and the true next token `y`, one token costs

        loss = log(sum_v exp(z_v)) - z_y

    and with label smoothing `e` it costs `(1 - e) loss + e mean_v(loss_v)`,
    where `loss_v` is what token `v` would have cost. The mean is weighted:
    `sum(weight loss) / sum(weight)`, and 0 when no token counts.

    Padding is told by weights, the third element of what `fit` is given, by a
    Keras mask on the logits, or by both. What stands at a position of weight 0
    has no influence, be it an id that does not exist. Any other id outside the
    vocabulary makes the loss NaN on every backend.

    Differs from `keras.losses.SparseCategoricalCrossentropy` in the mean, which
    there is over all positions, padding included; and in never building a
    one-hot `(B, T, V)`. Computed in float32 whatever the dtype policy.

    Shapes: `B` batch, `T` steps, `V` vocabulary.

    Args:
        label_smoothing: float, 0 to 1 (1 excluded). How much of the target's
            probability is spread over the whole vocabulary. Default 0.
        name: string. The name shown in logs.
    Call arguments:
        next_token_ids: int `(B, T)`. The true next token of each position.
        logits: float `(B, T, V)`. Scores before softmax.
        sample_weight: float or bool `(B, T)`, or `(B,)` for whole rows. `None`
            counts every token once.

    Returns:
        float32 `()`, nats per token; at least 0.

    Raises:
        ValueError: `label_smoothing` is outside 0 to 1, or the shape of the
            token ids is not that of the logits without their last axis.

    Example:
        >>> loss = MaskedCrossEntropy()
        >>> next_token_ids = ops.array([[3, 1, 0]])  # the last one is padding
        >>> weights = ops.array([[1.0, 1.0, 0.0]])
        >>> ops.shape(loss(next_token_ids, ops.zeros((1, 3, 5)), weights))
        ()

    Source: https://arxiv.org/abs/1512.00567, section 7 (label smoothing).
    """

    def __init__(self, label_smoothing=0.0, name="masked_cross_entropy"):
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                "`label_smoothing` must be at least 0 and below 1. "
                f"Received: label_smoothing={label_smoothing}"
            )
        super().__init__(
            name=name, reduction="mean_with_sample_weight", dtype="float32"
        )
        self.label_smoothing = label_smoothing

    def __call__(self, next_token_ids, logits, sample_weight=None):
        next_token_ids, weights = counted_tokens(next_token_ids, logits, sample_weight)
        return super().__call__(next_token_ids, logits, sample_weight=weights)

    def call(self, next_token_ids, logits):
        losses = nats_per_token(next_token_ids, logits)  # (B, T)
        if not self.label_smoothing:
            return losses
        spread = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
        return losses + self.label_smoothing * (spread - losses)

    def get_config(self):
        return {"label_smoothing": self.label_smoothing, "name": self.name}


def nats_per_token(next_token_ids, logits):
    """Computes what each token costs, in the form its backend is fastest with.

    Args:
        next_token_ids: `(B, T)`. An id outside the vocabulary costs NaN.
        logits: float `(B, T, V)`.

    Returns:
        float32 `(B, T)`, each at least 0 up to rounding.
    """
    logits = ops.cast(logits, "float32")
    vocabulary_size = logits.shape[-1]
    token_ids = ops.cast(next_token_ids, "int32")
    exists = ops.logical_and(token_ids >= 0, token_ids < vocabulary_size)
    token_ids = ops.where(exists, token_ids, 0)
    backend = keras.backend.backend()
    if backend == "jax":  # Keras' own makes a one-hot there
        true_logits = ops.take_along_axis(logits, token_ids[..., None], axis=-1)
        losses = ops.logsumexp(logits, axis=-1) - ops.squeeze(true_logits, axis=-1)
    elif backend == "torch":  # fast only where V is the second of two axes
        losses = ops.sparse_categorical_crossentropy(
            ops.reshape(token_ids, (-1,)),
            ops.reshape(logits, (-1, vocabulary_size)),
            from_logits=True,
        )
        losses = ops.reshape(losses, ops.shape(token_ids))
    else:
        losses = ops.sparse_categorical_crossentropy(
            token_ids, logits, from_logits=True
        )
    return ops.where(exists, losses, float("nan"))


def counted_tokens(next_token_ids, logits, sample_weight=None):
    """Brings ids and weights to one shape; ids of weight 0 become 0, which exists.

    Args:
        next_token_ids: int `(B, T)`.
        logits: float `(B, T, V)`.
        sample_weight: `(B, T)`, `(B, 1)`, `(B,)` or `None`.

    Returns:
        `(next_token_ids, weights)`: int32 `(B, T)` and float32 `(B, T)`.

    Raises:
        ValueError: `next_token_ids` has not the shape of `logits` without `V`.
    """
    token_ids = ops.cast(next_token_ids, "int32")
    _check_shapes(token_ids, logits)
    weights = ops.ones_like(token_ids, dtype="float32")
    if sample_weight is not None:
        sample_weight = ops.cast(sample_weight, "float32")
        while len(sample_weight.shape) < len(token_ids.shape):
            sample_weight = ops.expand_dims(sample_weight, axis=-1)
        weights = weights * sample_weight
    return ops.where(weights != 0, token_ids, 0), weights


def _check_shapes(next_token_ids, logits):
    wanted, came = tuple(logits.shape[:-1]), tuple(next_token_ids.shape)
    known = [(w, c) for w, c in zip(wanted, came, strict=False) if w and c]
    if len(wanted) != len(came) or any(w != c for w, c in known):
        raise ValueError(
            "`next_token_ids` must have the shape of `logits` without its last "
            f"axis. Received: next_token_ids of shape {came} and logits of shape "
            f"{tuple(logits.shape)}"
        )
