"""Training in bfloat16 mixed precision beside float32: the decoder of `training`.

Only where the processor has products of bfloat16: elsewhere they are computed by way of
float32, which says nothing of it.
"""

from pathlib import Path

import keras
import numpy as np

from benchmarks.speed.goal import CannotRunError, Goal, times_as_fast
from benchmarks.speed.training import (
    BATCH,
    LENGTH,
    STEPS,
    TOKENS,
    VOCABULARY,
    decoder,
    fitted,
)
from keras_lm.training import MaskedCrossEntropy

FLAGS = {"avx512_bf16", "amx_bf16"}

GOALS = [
    Goal("training, bfloat16 / float32", times_as_fast("float32", "bfloat16"), 1.7)
]


def rivals():
    """Calls of `STEPS` steps each.

    Raises:
        CannotRunError: the processor has no products of bfloat16.
    """
    if not FLAGS & set(Path("/proc/cpuinfo").read_text("utf-8").split()):
        raise CannotRunError(f"the processor has none of {', '.join(sorted(FLAGS))}")
    token_ids = np.random.default_rng(0).integers(
        0, VOCABULARY, (STEPS * BATCH, LENGTH + 1), dtype="int32"
    )
    calls = {}
    for name, policy in (("float32", "float32"), ("bfloat16", "mixed_bfloat16")):
        keras.config.set_dtype_policy(policy)
        model = decoder(0.0)
        calls[name] = fitted(
            model, MaskedCrossEntropy(), token_ids[:, :-1], token_ids[:, 1:]
        )
    keras.config.set_dtype_policy("float32")
    return calls


def tokens(_rival):
    """What a call learns from."""
    return TOKENS
