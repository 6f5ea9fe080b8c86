"""What `training.retain_memory` saves of a training step, and what it costs.

    OMP_NUM_THREADS=1 KERAS_BACKEND=jax python -m benchmarks.retained_memory [MODEL ..]

`decoder`: 4 blocks of 128, 32 x 64 tokens of 5,000 words. `lstm`: two of 650, 20 x 35
tokens of 10,000 words. AdamW, through `fit`. Seconds of the processor a step, the
kernel's among them: the median of three times six steps in one process, with and
without in turn, each in three processes; the ratio of the middle ones is printed first.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys

SHAPES = {"decoder": (5_000, 32, 64), "lstm": (10_000, 20, 35)}  # words, rows, tokens
NUM_STEPS, NUM_FITS, NUM_PROCESSES = 6, 3, 3
WAYS = ("as it is", "retained")


def main():
    """Reads the command line, measures each model both ways and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retained_memory")
    parser.add_argument("models", nargs="*", default=[*SHAPES], metavar="MODEL")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if strange := set(given.models) - set(SHAPES):
        parser.error(f"MODEL must be of {', '.join(SHAPES)}. Received: {strange.pop()}")
    if given.measure:
        print(json.dumps(measured(given.models[0], given.measure == "retained")))
        return
    for model in given.models:
        rounds = [
            [in_process(model, way) for way in WAYS] for _ in range(NUM_PROCESSES)
        ]
        before, after = (median(found) for found in zip(*rounds, strict=True))
        print(f"{model}: {before['seconds'] / after['seconds']:.2f} times as fast")
        for way, found in zip(WAYS, (before, after), strict=True):
            print(
                f"  {way}: {found['seconds']:.3f} s a step, of the kernel "
                f"{found['kernel']:.3f}; {found['peak_mib']:.0f} MiB"
            )


def in_process(model, way):
    """`measured`, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.retained_memory", model]
    done = subprocess.run(
        [*command, "--measure", way], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def median(found):
    """Of dictionaries, the one whose seconds are in the middle."""
    return sorted(found, key=lambda one: one["seconds"])[len(found) // 2]


def measured(name, retained):
    """Seconds of the processor a step, those of the kernel, and the peak."""
    import numpy as np

    from keras_lm import training

    if retained and not training.retain_memory():
        raise SystemExit("`retain_memory` needs glibc.")
    vocabulary_size, rows, length = SHAPES[name]
    model = build(name, vocabulary_size, length)
    model.compile("adamw", loss=training.MaskedCrossEntropy())
    shape = (NUM_STEPS * rows, length + 1)
    token_ids = np.random.default_rng(0).integers(0, vocabulary_size, shape, "int32")

    def fit(count):
        ids = token_ids[: count * rows]
        model.fit(ids[:, :-1], ids[:, 1:], batch_size=rows, verbose=0)
        return resource.getrusage(resource.RUSAGE_SELF)

    ends = [fit(2), *(fit(NUM_STEPS) for _ in range(NUM_FITS))]
    user, kernel = (
        statistics.median(np.diff([getattr(end, part) for end in ends]) / NUM_STEPS)
        for part in ("ru_utime", "ru_stime")
    )
    peak_mib = ends[-1].ru_maxrss / 1024
    return {"seconds": user + kernel, "kernel": kernel, "peak_mib": peak_mib}


def build(name, vocabulary_size, length):
    """The model of that name."""
    from keras_lm import models

    if name == "lstm":
        return models.LSTMLanguageModel(vocabulary_size, 650, 650, 2)
    return models.TransformerDecoder(
        vocabulary_size,
        num_layers=4,
        num_heads=4,
        hidden_dim=128,
        intermediate_dim=512,
        max_sequence_length=length,
    )


if __name__ == "__main__":
    main()
