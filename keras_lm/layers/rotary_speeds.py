"""How fast rotary positions turn, also in texts longer than those of the training."""

import math
from collections.abc import Mapping

import numpy as np

from keras_lm.layers.arguments import check_choice, check_positive

# What each kind must say, and what it may.
_NEEDS = {
    "linear": ("factor",),
    "llama3": (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ),
    "yarn": ("factor", "original_max_position_embeddings"),
}
_MAY = {"yarn": {"beta_fast", "beta_slow", "attention_factor"}}


def check_rotary_scaling(scaling: dict) -> None:
    """Refuses what is no scaling of rotary positions.

    Args:
        scaling: see `rotary_speeds`.

    Raises:
        TypeError: it is no dictionary.
        ValueError: its `rope_type` is unknown, a setting is missing, unknown or no
            number above 0, or high frequencies are not above low ones.
    """
    if not isinstance(scaling, Mapping):
        raise TypeError(
            f"A scaling must be a dictionary with a `rope_type`. Received: {scaling!r}"
        )
    settings = {name: scaling[name] for name in scaling if name != "rope_type"}
    kind = scaling.get("rope_type")
    check_choice("rope_type", kind, list(_NEEDS))
    missing = sorted(set(_NEEDS[kind]) - set(settings))
    unknown = sorted(set(settings) - set(_NEEDS[kind]) - _MAY.get(kind, set()))
    if missing or unknown:
        raise ValueError(
            f"A scaling of the kind {kind!r} must have {', '.join(_NEEDS[kind])}. "
            f"Received: {dict(scaling)}, without {missing}, with {unknown}"
        )
    for name, value in settings.items():
        check_positive(name, value)
    for low, high in (
        ("low_freq_factor", "high_freq_factor"),
        ("beta_slow", "beta_fast"),
    ):
        if low in settings and high in settings and settings[low] >= settings[high]:
            raise ValueError(
                f"`{high}` must be above `{low}`. Received: {high}={settings[high]}, "
                f"{low}={settings[low]}"
            )


def rotary_speeds(width: int, wavelength: float, scaling=None):
    """The angle by which each pair of features turns from a place to the next.

    Without a scaling `wavelength ** (-2 i / width)`. With one, pairs that turn slowly
    are slowed down, so that a text `factor` times as long as those of the training has
    no angles that the model has not seen:

    - "linear": all of them by `factor` (position interpolation);
    - "llama3": pairs that turn less than `low_freq_factor` times in
      `original_max_position_embeddings` places by `factor`, those that turn more than
      `high_freq_factor` times not, those between by a straight line between the two;
    - "yarn": the same between `beta_slow` (1) and `beta_fast` (32) turns, the line
      being over the number of the pair; and queries and keys are multiplied by
      `attention_factor` (`0.1 ln(factor) + 1`).

    Args:
        width: int, even. Of a head.
        wavelength: float, above 0.
        scaling: dictionary or `None`. As `rope_parameters` in transformers'
            `config.json`: "rope_type" and the settings above.

    Returns:
        float64 `(width / 2,)`, radians a place; and the factor of queries and keys.

    Source: https://arxiv.org/abs/2306.15595 (linear); https://arxiv.org/abs/2309.00071
        (YaRN, sections 3.2 and 3.4); "llama3" as transformers computes it.
    """
    speeds = wavelength ** (-np.arange(0, width, 2) / width)
    if scaling is None:
        return speeds, 1.0
    settings = {name: scaling[name] for name in scaling if name != "rope_type"}
    if scaling["rope_type"] == "yarn":
        return _yarn(speeds, width, wavelength, **settings)
    scale = {"linear": _linear, "llama3": _llama3}[scaling["rope_type"]]
    return scale(speeds, **settings), 1.0


def _linear(speeds, factor):
    return speeds / factor


def _llama3(
    speeds, factor, low_freq_factor, high_freq_factor, original_max_position_embeddings
):
    turns = original_max_position_embeddings * speeds / (2 * math.pi)
    kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor)
    return _slowed(speeds, factor, np.clip(kept, 0, 1))


def _yarn(
    speeds,
    width,
    wavelength,
    factor,
    original_max_position_embeddings,
    beta_fast=32,
    beta_slow=1,
    attention_factor=None,
):
    def pair_of(turns):
        """The pair, as a fraction, that turns so often in a text of the training."""
        length = original_max_position_embeddings / (2 * math.pi * turns)
        return width * math.log(length) / (2 * math.log(wavelength))

    first = max(math.floor(pair_of(beta_fast)), 0)
    last = min(math.ceil(pair_of(beta_slow)), width - 1)
    span = last - first or 0.001
    kept = 1 - np.clip((np.arange(width // 2) - first) / span, 0, 1)
    if attention_factor is None:
        attention_factor = 0.1 * math.log(max(factor, 1)) + 1
    return _slowed(speeds, factor, kept), attention_factor


def _slowed(speeds, factor, kept):
    """Between `speeds / factor`, where 0 of it is kept, and `speeds`, where 1 is."""
    return speeds * (kept + (1 - kept) / factor)
