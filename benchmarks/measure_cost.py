"""Time and peak memory of one attention layer at one length, in a process of its own.

    python -m benchmarks.measure_cost LAYER LENGTH [--beside LAYER] [--seconds S]

prints one line of JSON. `attention_cost.py` starts it; see there for what is measured.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import keras
import numpy as np

import keras_lm

HEADS, WIDTH = 4, 64
LAYERS = {
    "keras": "MultiHeadAttention",
    "multi_head": "MultiHeadAttention",
    "dynamic": "DynamicAttention",
    "local": "LocalAttention",
    "regional": "RegionalAttention",
}
ARGUMENTS = {"local": {"window": 256}, "regional": {"region_size": 128}}
WARM_UP_LENGTH = 64
MIB = 2**20


def main():
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measure_cost")
    parser.add_argument("layer", choices=LAYERS)
    parser.add_argument("length", type=int)
    parser.add_argument("--beside", choices=LAYERS, help="called in turn with it")
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    if given.beside:
        found = in_turn([given.layer, given.beside], given.length, given.seconds)
    else:
        found = alone(given.layer, given.length, given.seconds)
    print(json.dumps(found))


def alone(name, length, seconds):
    """Time and memory, first of the forward pass, then with the backward pass."""
    calls = calls_of(name)
    for call in calls.values():
        call(WARM_UP_LENGTH)()  # the compiler and the thread pools are loaded
    baseline = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins anew
    found = {}
    for which, prepare in calls.items():
        call = prepare(length)
        call()
        found[f"{which}_s"] = statistics.median(repeated([call], seconds)[0])
        found[f"{which}_mib"] = (resident("VmHWM") - baseline) / MIB
    return found


def in_turn(names, length, seconds):
    """Seconds of two layers, each call of the one followed by one of the other."""
    prepared = [calls_of(name) for name in names]
    found = {}
    for which in ("forward", "both"):
        calls = [calls[which](length) for calls in prepared]
        for call in calls:
            call()
        took = repeated(calls, seconds)
        found[f"{which}_s"] = [statistics.median(times) for times in took]
    return found


def repeated(calls, seconds, fewest=3, most=15):
    """Seconds of every call of each, in turn, until `seconds` are over."""
    took = [[] for _ in calls]
    began = time.perf_counter()
    while len(took[0]) < fewest or (
        time.perf_counter() - began < seconds and len(took[0]) < most
    ):
        for call, times in zip(calls, took, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        if len(took[0]) == 1 and time.perf_counter() - began > 2 * seconds:
            break  # too slow to repeat
    return took


def resident(kind):
    """Bytes of this process in memory now, `VmRSS`, or at most so far, `VmHWM`."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    line = next(line for line in lines if line.startswith(kind))
    return int(line.split()[1]) * 1024


def calls_of(name):
    """Forward and both passes: of a length, a call that returns when the work is done.

    Compiled as `fit` would: `jax.jit`, `tf.function`, and PyTorch as it comes. The
    gradient is that of the weights and of the input.
    """
    library = keras.layers if name == "keras" else keras_lm.layers
    layer = getattr(library, LAYERS[name])(HEADS, WIDTH, **ARGUMENTS.get(name, {}))
    shape = (None, None, HEADS * WIDTH)
    layer.build(shape, shape)
    backend = keras.backend.backend()
    makers = {"jax": jax_calls, "tensorflow": tensorflow_calls, "torch": torch_calls}
    forward, both = makers[backend](layer)

    def prepared(function):
        def prepare(length):
            random = np.random.default_rng(seed=0)
            shape = (1, length, HEADS * WIDTH)
            hidden = random.normal(size=shape).astype("float32")
            return function(keras.ops.convert_to_tensor(hidden))

        return prepare

    return {"forward": prepared(forward), "both": prepared(both)}


def mean_square(output):
    """A loss whose gradient needs the output."""
    return keras.ops.mean(keras.ops.square(output))


def jax_calls(layer):
    """`jax.jit`, weights as arguments."""
    import jax

    weights = [variable.value for variable in layer.trainable_variables]
    others = [variable.value for variable in layer.non_trainable_variables]

    def output(weights, hidden):
        return layer.stateless_call(
            weights, others, hidden, hidden, use_causal_mask=True
        )[0]

    def loss(weights, hidden):
        return mean_square(output(weights, hidden))

    forward, both = jax.jit(output), jax.jit(jax.value_and_grad(loss, (0, 1)))
    return [
        lambda hidden, jitted=jitted: (
            lambda: jax.block_until_ready(jitted(weights, hidden))
        )
        for jitted in (forward, both)
    ]


def tensorflow_calls(layer):
    """`tf.function`."""
    import tensorflow as tf

    @tf.function(autograph=False)
    def forward(hidden):
        return layer(hidden, hidden, use_causal_mask=True)

    @tf.function(autograph=False)
    def both(hidden):
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            output = layer(hidden, hidden, use_causal_mask=True)
            loss = mean_square(output)
        return loss, tape.gradient(loss, [*layer.trainable_weights, hidden])

    return [
        lambda hidden, function=function: (
            lambda: tf.nest.map_structure(lambda array: array.numpy(), function(hidden))
        )
        for function in (forward, both)
    ]


def torch_calls(layer):
    """Eager, with autograd in the second call only."""
    import torch

    weights = [variable.value for variable in layer.trainable_variables]

    def forward(hidden):
        with torch.no_grad():
            layer(hidden, hidden, use_causal_mask=True)

    def both(hidden):
        hidden = hidden.detach().requires_grad_()
        output = layer(hidden, hidden, use_causal_mask=True)
        torch.autograd.grad(mean_square(output), [*weights, hidden])

    return [
        lambda hidden, function=function: lambda: function(hidden)
        for function in (forward, both)
    ]


if __name__ == "__main__":
    main()
