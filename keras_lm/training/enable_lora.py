"""Low-rank adapters (Hu et al., 2021): a few numbers are trained instead of all."""

import math
from numbers import Real

import keras

from keras_lm.training.adapters import adaptable_layers, add_adapters
from keras_lm.training.trained_weights import (
    TrainedWeights,
    count_trained,
    set_trained,
)
from keras_lm.training.weight_paths import matching_paths

# What the paper adapts, section 5.1.
QUERIES_AND_VALUES = r"attention/(query|value)/"


def enable_lora(
    model: keras.Model,
    rank: int = 8,
    alpha: float | None = None,
    targets: str = QUERIES_AND_VALUES,
) -> TrainedWeights:
    """Freezes a model and puts a low-rank adapter beside each kernel that matches.

        output = (W + alpha / rank * A B) input + b

    `W`, `(in, out)`, stays; `A`, `(in, rank)`, and `B`, `(rank, out)`, are trained. `B`
    starts as 0, so the model first answers what it answered. A head that has just been
    put on an encoder must learn too: `unfreeze(model, "head")`.

    Call it before `compile`, and before a pipeline is made of the model; a model that
    is compiled must be compiled again. `save_adapters` writes what was trained, and
    `merge_adapters` makes a plain model of it. `model.save`, too, writes the model as
    if it were merged, though in mixed precision with adapted kernels in half; for that,
    merge first.

    The adapters are Keras' own, of `Dense`, `EinsumDense` and `Embedding`. The kernels
    of LSTMs and convolutions are none of these and cannot have one.

    Args:
        model: a built `keras.Model`.
        rank: int, at least 1. 4 to 16 is usual.
        alpha: float, above 0. What is learned counts `alpha / rank`; `rank` when
            `None`.
        targets: regular expression, looked for anywhere in the paths of kernels and
            embeddings, as "transformer_encoder/block_0/attention/query/kernel"; names
            that Keras made are counted as `freeze` says. By default the queries and
            values of all attention layers, as in the paper.

    Returns:
        `TrainedWeights`: `trained` and `total` numbers; it prints as a sentence.

    Raises:
        TypeError: `targets` is no string.
        ValueError: `rank` or `alpha` is out of range, `targets` matches nothing, or a
            layer has an adapter or is quantised.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> model = keras_lm.models.SequenceClassifier(encoder, num_classes=2)
        >>> print(enable_lora(model, rank=4))
        512 of 6,946 numbers are trained (7.4 %)
        >>> print(keras_lm.training.unfreeze(model, "head"))
        546 of 6,946 numbers are trained (7.9 %)

    Source: https://arxiv.org/abs/2106.09685, section 4.1.
    """
    _check(rank, alpha)
    layers = adaptable_layers(model)
    chosen = {
        path: layers[path] for path in matching_paths(layers, [targets], "targets")
    }
    for path, layer in chosen.items():
        if layer.lora_enabled or layer.quantization_mode is not None:
            state = "an adapter" if layer.lora_enabled else "quantised weights"
            raise ValueError(
                "`targets` must be plain layers: merge adapters first, and quantise "
                f"last. Received: {path}, which has {state}"
            )
    set_trained(model, lambda weight, was: False)
    add_adapters(chosen, rank, float(rank if alpha is None else alpha))
    return count_trained(model)


def _check(rank, alpha):
    if not isinstance(rank, int) or rank < 1:
        raise ValueError(
            f"`rank` must be a whole number of at least 1. Received: rank={rank}"
        )
    number = float(alpha) if isinstance(alpha, Real) else math.nan
    if alpha is not None and not 0 < number < math.inf:
        raise ValueError(
            f"`alpha` must be a finite number above 0. Received: alpha={alpha!r}"
        )
