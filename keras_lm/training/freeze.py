"""Takes weights out of training, by their names."""

import keras

from keras_lm.training.trained_weights import (
    TrainedWeights,
    count_trained,
    set_trained,
)
from keras_lm.training.weight_paths import matching_paths, weight_paths


def freeze(model: keras.Model, *patterns: str) -> TrainedWeights:
    """Freezes the weights whose paths match: `fit` leaves them as they are.

    Call it before `compile`; a model that is compiled must be compiled again. An
    optimizer holds no state for what is frozen, and does not decay it. Dropout goes on.
    A file of the model does not say what was frozen.

    Args:
        model: a built `keras.Model`.
        *patterns: regular expressions, looked for anywhere in the path of a weight, as
            "embedding" or "block_[0-3]/" or "bias$". Paths are those of `weight.path`,
            as "transformer_encoder/block_0/attention/query/kernel", with names
            that Keras made counted within their parent, not through the session.

    Returns:
        `TrainedWeights`: `trained` and `total` numbers; it prints as a sentence.

    Raises:
        TypeError: a pattern is no string.
        ValueError: there is no pattern, or one matches no weight.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> print(freeze(encoder, "embedding", "block_0/"))
        2,256 of 6,400 numbers are trained (35.2 %)
    """
    named = weight_paths(model)
    frozen = {id(named[path]) for path in matching_paths(named, patterns, "patterns")}
    set_trained(model, lambda weight, was: was and id(weight) not in frozen)
    return count_trained(model)
