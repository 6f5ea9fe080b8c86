"""Puts weights back into training, by their names."""

import keras

from keras_lm.training.trained_weights import (
    TrainedWeights,
    count_trained,
    set_trained,
)
from keras_lm.training.weight_paths import matching_paths, weight_paths


def unfreeze(model: keras.Model, *patterns: str) -> TrainedWeights:
    """Trains the weights whose paths match, whatever froze them; see `freeze`.

    Call it before `compile`; a model that is compiled must be compiled again.

    Args:
        model: a built `keras.Model`.
        *patterns: regular expressions, looked for anywhere in the path of a weight;
            "" for all.

    Returns:
        `TrainedWeights`: `trained` and `total` numbers; it prints as a sentence.

    Raises:
        TypeError: a pattern is no string.
        ValueError: there is no pattern, or one matches no weight.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> encoder.trainable = False
        >>> unfreeze(encoder, "norm").trained
        160
    """
    named = weight_paths(model)
    freed = {id(named[path]) for path in matching_paths(named, patterns, "patterns")}
    set_trained(model, lambda weight, was: was or id(weight) in freed)
    return count_trained(model)
