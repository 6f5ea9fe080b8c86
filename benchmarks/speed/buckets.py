"""A second prompt of another length or the same batch compiles nothing.

Each round takes the next of several prompts of a bucket, all of different lengths; what
was compiled anew would show in its round.
"""

import itertools
import time

import numpy as np

from benchmarks.speed.goal import Goal
from benchmarks.speed.training import decoder
from keras_lm.generation import generate

NEW, THREADS = 32, [1]
GOALS = [
    Goal(
        "another length of the bucket / the same again",
        lambda seconds: seconds["another length"] / seconds["the same again"],
        at_most=1.2,
    ),
]


def rivals():
    """Calls on prompts of 33 to 64 tokens."""
    model = decoder(0.0)
    lengths = itertools.cycle(range(63, 33, -3))

    def prompt(length):
        return np.ones((1, length), "int32")

    began = time.perf_counter()
    generate(model, prompt(48), NEW)
    first = time.perf_counter() - began
    for _ in range(2):  # PyTorch records a step that has run 48 times
        generate(model, prompt(48), NEW)
    return {
        "first call": lambda: first,
        "the same again": lambda: generate(model, prompt(48), NEW) is None,
        "another length": lambda: generate(model, prompt(next(lengths)), NEW) is None,
    }


def tokens(_rival):
    """Nothing that is timed here has a rate."""
    return None
