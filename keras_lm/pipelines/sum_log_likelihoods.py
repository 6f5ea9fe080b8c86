"""How likely a model's logits make some tokens of each row."""

import keras
import numpy as np


def sum_log_likelihoods(
    logits: np.ndarray, labels: np.ndarray, counted: np.ndarray
) -> np.ndarray:
    """The log-likelihood of the counted tokens of each row, summed.

    Args:
        logits: float `(B, T, V)`, an array or a tensor.
        labels: int `(B, T)`: the tokens that came.
        counted: bool `(B, T)`.

    Returns:
        float `(B,)`: nats, at most 0; 0 where no token counts.

    Example:
        >>> from keras_lm.pipelines.sum_log_likelihoods import sum_log_likelihoods
        >>> labels, counted = np.array([[1, 0, 2]]), np.array([[True, True, False]])
        >>> nats = sum_log_likelihoods(np.zeros((1, 3, 4)), labels, counted)
        >>> float(nats[0])  # 2 log 1/4
        -2.77258...
    """
    logits = keras.ops.convert_to_tensor(logits)
    chosen = keras.ops.expand_dims(labels, -1)
    nats = keras.ops.take_along_axis(logits, chosen, axis=-1)[..., 0]
    nats = nats - keras.ops.logsumexp(logits, axis=-1)  # (B, T)
    return np.sum(keras.ops.convert_to_numpy(nats), axis=1, where=counted)
