"""The learning rate of most Transformers: a ramp up, then half a cosine down."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to `peak`, then half a cosine down to a fraction of it.

        step < warmup_steps:  peak (step + 1) / warmup_steps
        later:                peak (f + (1 - f) (1 + cos(pi progress)) / 2)
        progress = (step - warmup_steps) / (total_steps - warmup_steps)

    with `f = final_fraction`; from `total_steps` on the rate stays `peak f`.

    Differs from `keras.optimizers.schedules.CosineDecay` in that the very first
    step already learns (Keras starts at a rate of 0), and in that `total_steps`
    is the length of the whole run, warm-up included.

    Args:
        peak: float, above 0. The highest learning rate.
        warmup_steps: int, at least 0, in optimizer steps.
        total_steps: int, above `warmup_steps`, in optimizer steps. How long the
            whole run is.
        final_fraction: float, 0 to 1. The last rate as a part of `peak`.
            Default 0.1.
        name: string.
    Call arguments:
        step: int `()`. Optimizer steps done so far.

    Returns:
        float32 `()`; above 0 and at most `peak` while `step < total_steps`.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> schedule = WarmupCosine(peak=1e-3, warmup_steps=10, total_steps=100)
        >>> ops.shape(schedule(0))
        ()

    Source: https://arxiv.org/abs/1608.03983, equation 5.
    """

    def __init__(
        self,
        peak,
        warmup_steps,
        total_steps,
        final_fraction=0.1,
        name="warmup_cosine",
    ):
        _check_range("peak", peak, peak > 0, "above 0")
        _check_range("warmup_steps", warmup_steps, warmup_steps >= 0, "at least 0")
        if total_steps <= warmup_steps:
            raise ValueError(
                "`total_steps` must be above `warmup_steps`. Received: "
                f"total_steps={total_steps}, warmup_steps={warmup_steps}"
            )
        _check_range(
            "final_fraction", final_fraction, 0 <= final_fraction <= 1, "0 to 1"
        )
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.final_fraction = final_fraction
        self.name = name

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warmup = (step + 1.0) / max(self.warmup_steps, 1)
        progress = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        half_cosine = 0.5 * (1.0 + ops.cos(math.pi * ops.clip(progress, 0.0, 1.0)))
        decay = self.final_fraction + (1.0 - self.final_fraction) * half_cosine
        return self.peak * ops.where(step < self.warmup_steps, warmup, decay)

    def get_config(self):
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "final_fraction": self.final_fraction,
            "name": self.name,
        }


def _check_range(name, value, holds, wanted):
    if not holds:
        raise ValueError(f"`{name}` must be {wanted}. Received: {name}={value}")
