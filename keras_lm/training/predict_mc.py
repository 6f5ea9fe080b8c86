"""Predictions by many samples, and how much of the doubt is the model's own."""

import contextlib
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_lm.layers import BayesianAttention


class MonteCarloPrediction(NamedTuple):
    """What `predict_mc` gives. Everything is in nats, and of shape `(N, ..)`.

    Args:
        probabilities: float `(N, .., C)`, the mean over the samples.
        total_entropy: entropy of that mean: all doubt.
        expected_entropy: mean of the samples' entropies: the doubt of the data, which
            every sample has alike.
        mutual_information: the rest, at least 0: how far the samples disagree, the
            doubt of the model.
    """

    probabilities: np.ndarray
    total_entropy: np.ndarray
    expected_entropy: np.ndarray
    mutual_information: np.ndarray


def predict_mc(
    model: keras.Model,
    inputs,
    num_samples: int = 16,
    batch_size: int = 32,
    seed: int | None = None,
    from_logits: bool = True,
) -> MonteCarloPrediction:
    """Predicts `num_samples` times with the noise of `BayesianAttention` switched on.

        mean               = (p_1 + .. + p_S) / S
        mutual information = entropy(mean) - (entropy(p_1) + .. + entropy(p_S)) / S

    All `BayesianAttention` layers of the model draw, also those inside blocks. The pass
    that draws is compiled once for each call; the model's own compiled prediction is
    put aside and put back, so that `model.predict` gives what it gave before, to the
    bit. Dropout stays off.

    Args:
        model: with one output, over whose last axis the classes lie.
        inputs: what `model.predict` takes.
        num_samples: int, at least 1, `S`.
        batch_size: int, at least 1.
        seed: int; the same draws again, and the layers' generators are left as they
            were. `None` goes on with these.
        from_logits: bool. Whether the model gives logits, or probabilities.

    Returns:
        `MonteCarloPrediction`: mean probabilities, total entropy, expected entropy and
        mutual information.

    Raises:
        ValueError: the model has no `BayesianAttention`, more than one output, or
            `num_samples` is below 1.

    Example:
        >>> inputs = keras.Input((7, 16))
        >>> hidden = keras_lm.layers.BayesianAttention(2, 8)(inputs)
        >>> model = keras.Model(inputs, keras.layers.Dense(3)(hidden[:, 0]))
        >>> found = predict_mc(model, np.ones((5, 7, 16)), num_samples=4)
        >>> found.probabilities.shape, found.mutual_information.shape
        ((5, 3), (5,))

    Source: https://arxiv.org/abs/1703.02910, equation 2.
    """
    if num_samples < 1:
        raise ValueError(
            f"`num_samples` must be at least 1. Received: num_samples={num_samples}"
        )
    total, entropies = np.zeros(()), np.zeros(())
    with stochastic_attention(model, seed):
        for _ in range(num_samples):
            outputs = model.predict(inputs, batch_size=batch_size, verbose=0)
            if not isinstance(outputs, np.ndarray):
                raise ValueError(
                    f"`model` must have one output. Received: {type(outputs).__name__}"
                )
            sample = outputs.astype("float64")
            if from_logits:
                sample = _softmax(sample)
            total = total + sample
            entropies = entropies + _entropy(sample)
    mean, expected = total / num_samples, entropies / num_samples
    whole = _entropy(mean)
    return MonteCarloPrediction(mean, whole, expected, np.maximum(whole - expected, 0))


@contextlib.contextmanager
def stochastic_attention(model: keras.Model, seed: int | None = None):
    """Switches the noise of all `BayesianAttention` layers on while it is entered.

    Args:
        model: a model with at least one of them.
        seed: int; see `predict_mc`.

    Returns:
        context manager.

    Raises:
        ValueError: the model has no `BayesianAttention`.
    """
    layers = bayesian_layers(model)
    if not layers:
        raise ValueError(
            "`model` must hold a `BayesianAttention` layer: no other layer draws. "
            f"Received: {model.name}"
        )
    before = [layer.stochastic for layer in layers]
    states = [ops.convert_to_numpy(layer.seed_generator.state) for layer in layers]
    values = [(variable, variable.value) for variable in model.variables]
    compiled, model.predict_function = model.predict_function, None
    try:
        for place, layer in enumerate(layers):
            layer.stochastic = True
            if seed is not None:
                layer.seed_generator.state.assign([seed, place])
        yield
    except BaseException:
        _bring_back(model, values)
        raise
    finally:
        model.predict_function = compiled
        for layer, was, state in zip(layers, before, states, strict=True):
            layer.stochastic = was
            if seed is not None:
                layer.seed_generator.state.assign(state)


def bayesian_layers(model: keras.Model) -> list[BayesianAttention]:
    """All `BayesianAttention` layers of a model, also those inside blocks."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, BayesianAttention)]


def _bring_back(model, values):
    """On JAX, a prediction that is interrupted leaves the variables empty."""
    if not hasattr(model, "jax_state_sync"):
        return
    for variable, value in values:
        if not value.is_deleted():  # else it was handed on to what `model` keeps
            variable.assign(value)
    model.jax_state_sync()


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _entropy(probabilities):
    logs = np.log(np.maximum(probabilities, 1e-300))
    return -np.sum(probabilities * logs, axis=-1)
