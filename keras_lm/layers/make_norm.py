"""The normalisations of Transformers."""

import keras

from keras_lm.layers.arguments import check_choice

KINDS = ("layer", "rms")


def make_norm(policy, name, epsilon=1e-5, kind="layer"):
    """A normalisation over the features of each position.

        layer:  gamma (x - mean(x)) / sqrt(variance(x) + epsilon) + beta
        rms:    scale x / sqrt(mean(x^2) + epsilon)

    Args:
        policy: dtype policy.
        name: str.
        epsilon: float, above 0.
        kind: "layer" or "rms", which is Llama's.

    Returns:
        `keras.layers.LayerNormalization` or `keras.layers.RMSNormalization`.

    Raises:
        ValueError: `kind` is unknown.

    Source: https://arxiv.org/abs/1607.06450; https://arxiv.org/abs/1910.07467 (rms).
    """
    check_choice("normalization", kind, KINDS)
    if kind == "rms":
        return keras.layers.RMSNormalization(epsilon=epsilon, dtype=policy, name=name)
    return keras.layers.LayerNormalization(epsilon=epsilon, dtype=policy, name=name)
