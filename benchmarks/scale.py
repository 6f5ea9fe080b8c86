"""Memory on each device, losses and processor time of one model, shared out in 4 ways.

    python -m benchmarks.scale

JAX on 8 virtual devices of one processor: what it shows is what each device holds, that
the losses are those of one device, and what sharing costs. It can show no speed-up.
Prints the table of docs/scale.md.
"""

import os
import random
import time

os.environ["KERAS_BACKEND"] = "jax"
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)

import keras
import numpy as np

from keras_lm import models, training

VOCABULARY, ROWS, LENGTH, STEPS = 8000, 8, 32, 5
WAYS = {
    "one device": lambda: training.distribute("none"),
    "data, 8": lambda: training.distribute("data"),
    "model, 8 parts": lambda: training.distribute("model"),
    "2 groups of 4 parts": lambda: training.ModelParallel(num_parts=4).scope(),
}
rng = np.random.default_rng(seed=0)
TOKENS, NEXT = rng.integers(1, VOCABULARY, (2, ROWS * STEPS, LENGTH), dtype="int32")


def megabytes(variables):
    """On the fullest device, counted from the arrays' parts."""
    held = {}
    for variable in variables:
        for shard in variable.value.addressable_shards:
            held[shard.device] = held.get(shard.device, 0) + shard.data.nbytes
    return max(held.values()) / 1e6


def measure(way):
    """A row of the table."""
    random.seed(0)  # Keras draws the seeds of initializers from it
    with WAYS[way]():
        model = models.TransformerDecoder(
            VOCABULARY, 4, 8, 256, 1024, LENGTH, dropout=0.1, seed=0
        )
        model.compile(keras.optimizers.AdamW(1e-3), training.MaskedCrossEntropy())
        options = {"batch_size": ROWS, "shuffle": False, "verbose": 0}
        first = model.fit(TOKENS, NEXT, **options).history["loss"][0]  # compiles
        began = time.process_time()
        second = model.fit(TOKENS, NEXT, **options).history["loss"][0]
        seconds = (time.process_time() - began) / STEPS
        weights = megabytes(model.variables)
        state = megabytes(model.optimizer.variables)
    return (
        f"| {way} | {weights:.1f} | {state:.1f} | {first:.6f} | {second:.6f} "
        f"| {seconds:.2f} |"
    )


if __name__ == "__main__":
    print("| way | weights, MB | optimizer, MB | loss 1 | loss 2 | s a step |")
    print("|---|---|---|---|---|---|")
    for way in WAYS:
        print(measure(way), flush=True)
