"""The learning rate of the first Transformer: a ramp up, then 1 / sqrt(step)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_lm")
class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to `peak`, then down with the inverse square root of the step.

        rate = peak min((step + 1) / warmup_steps, sqrt(warmup_steps / (step + 1)))

    The paper's rate, for a width of `hidden_dim`, has
    `peak = (hidden_dim warmup_steps) ** -0.5`. Unlike `WarmupCosine` it does not know
    how long the run will be: stop when held-out text gets no better.

    Args:
        peak: float, above 0. The highest learning rate.
        warmup_steps: int, at least 1, in optimizer steps.
        name: string.
    Call arguments:
        step: int `()`. Optimizer steps done so far.

    Returns:
        float32 `()`, above 0 and at most `peak`, which the last step of the warm-up
        has.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> schedule = InverseSquareRoot(peak=1e-3, warmup_steps=10)
        >>> ops.shape(schedule(0))
        ()

    Source: https://arxiv.org/abs/1706.03762, section 5.3.
    """

    def __init__(self, peak, warmup_steps, name="inverse_square_root"):
        if not peak > 0:
            raise ValueError(f"`peak` must be above 0. Received: peak={peak}")
        if warmup_steps < 1:
            raise ValueError(
                "`warmup_steps` must be at least 1. "
                f"Received: warmup_steps={warmup_steps}"
            )
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.name = name

    def __call__(self, step):
        progress = (ops.cast(step, "float32") + 1.0) / self.warmup_steps
        return self.peak * ops.minimum(progress, ops.rsqrt(progress))

    def get_config(self):
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "name": self.name,
        }
