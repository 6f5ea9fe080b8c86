"""How the cost of a language model grows: with length, batch, width, layers, position.

    KERAS_BACKEND=jax python -m benchmarks.model_cost [--quick]
    python -m benchmarks.model_cost --table

Training: a decoder of 4 layers of 256, heads of 64, rotary positions, vocabulary 4,096,
batches of 4 x 256 tokens, AdamW, through `fit`; one of these is varied at a time.
Seconds of a step are the median of several after one to warm up; memory is the largest
resident set above what the process holds after the imports, weights, optimizer and what
the compiler left included.

Decoding: seconds a token, the median of the last 32 of 96 (PyTorch records a step that
has run 48 times), greedy, batch 1, behind prompts of different lengths, for multi-head
attention and local attention of a window of 128.

Each point is measured in a process of its own, one after the other, and kept in
`.cache/cost/model-<backend>.json` at once, in the place of the same point of an earlier
run; with `--quick` in `model-<backend>-quick.json`. `--table` prints from the first and
runs nothing. Exponents are the slope of a line through the logarithms. The picture has
the file's name and `.png`.
"""

import argparse
import importlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.attention_cost import BACKENDS, KEPT, say
from benchmarks.measure_cost import MIB, resident
from keras_lm.files import complete_file

BASE = {"length": 256, "batch": 4, "width": 256, "layers": 4}
VARIED = {
    "length": (64, 128, 256, 512, 1024, 2048),
    "batch": (1, 2, 4, 8, 16, 32),
    "width": (64, 128, 256, 512, 1024),
    "layers": (1, 2, 4, 8, 16),
}
POSITIONS = (128, 512, 2048, 8192)
DECODED = {"multi_head": {}, "local": {"window": 128}}
VOCABULARY, HEAD, NEW, TIMED = 4096, 64, 96, 32


def main():
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_cost")
    parser.add_argument("--quick", action="store_true", help="three points of each")
    parser.add_argument("--table", action="store_true", help="print what was kept")
    parser.add_argument("--point", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.point:
        print(json.dumps(measured(json.loads(given.point))))
        return
    backends = BACKENDS
    if not given.table:
        backends = [importlib.import_module("keras").backend.backend()]
        measure(file_of(backends[0], given.quick), most=3 if given.quick else None)
    for backend in backends:
        file = file_of(backend, given.quick)
        if found := read(file):
            print("\n".join(report(backend, found)))
            draw(backend, found, file.with_suffix(".png"))


def file_of(backend, quick=False):
    """Where the measurements of a backend are kept."""
    return KEPT / f"model-{backend}{'-quick' if quick else ''}.json"


def read(file):
    """What is kept in a file: `{kind: {number: row}}`; nothing where there is none."""
    return json.loads(file.read_text("utf-8")) if file.exists() else {}


def keep(file, kind, number, row):
    """Puts a row among those of a file, which is whole at any time."""
    found = read(file)
    rows = {**found.get(kind, {}), str(number): row}
    found[kind] = {key: rows[key] for key in sorted(rows, key=int)}
    with complete_file(file, overwrite=True) as place:
        place.write_text(json.dumps(found, indent=1), "utf-8")


# ------------------------------------------------------------- a process of its own


def measured(point):
    """What one point costs: `{"s": .., "mib": ..}`."""
    import keras

    import keras_lm.generation
    import keras_lm.models
    import keras_lm.training
    from benchmarks.speed.fit_rows import fit_rows

    if "attention" in point:
        return {"s": seconds_a_token(**point)}
    keras.utils.set_random_seed(0)
    baseline = resident("VmRSS")
    rng, shape = np.random.default_rng(0), (point["batch"], point["length"] + 1)
    token_ids = rng.integers(0, VOCABULARY, shape, dtype="int32")
    inputs, targets = token_ids[:, :-1], token_ids[:, 1:]
    model = decoder(point["length"], point["width"], point["layers"], "multi_head")
    model.compile(keras.optimizers.AdamW(3e-4), keras_lm.training.MaskedCrossEntropy())
    fit = fit_rows(model, inputs, targets, point["batch"])

    def step():
        began = time.perf_counter()
        fit()
        return time.perf_counter() - began

    step()
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak begins anew
    began, took = time.perf_counter(), []
    while len(took) < 3 or (time.perf_counter() - began < 5 and len(took) < 15):
        took.append(step())
    return {"s": statistics.median(took), "mib": (resident("VmHWM") - baseline) / MIB}


def decoder(length, width, layers, attention):
    """Of random weights."""
    from keras_lm.models import TransformerDecoder

    return TransformerDecoder(
        VOCABULARY, layers, width // HEAD, width, 4 * width, length, attention=attention
    )


def seconds_a_token(attention, position):
    """Of a token behind `position` others."""
    from keras_lm.generation import stream
    from keras_lm.layers import LocalAttention

    width = BASE["width"]
    layer = attention
    if attention == "local":
        layer = LocalAttention(
            width // HEAD, HEAD, **DECODED["local"], rotary_wavelength=10_000.0
        )
    model = decoder(position + NEW, width, BASE["layers"], layer)
    prompt = np.random.default_rng(0).integers(0, VOCABULARY, (1, position))
    times = [time.perf_counter() for _ in stream(model, prompt, NEW)]
    return statistics.median(np.diff(times)[-TIMED:])


# ---------------------------------------------------------------------- all of them


def points(most=None):
    """`(kind, number, point)` of all that is measured."""
    for name, values in VARIED.items():
        for value in values[:most]:
            yield name, value, {**BASE, name: value}
    for name, position in itertools.product(DECODED, POSITIONS[:most]):
        yield name, position, {"attention": name, "position": position}


def measure(file, most):
    """Measures each point in a new process, and keeps it."""
    for kind, value, point in points(most):
        command = [sys.executable, "-m", "benchmarks.model_cost"]
        done = subprocess.run(
            [*command, "--point", json.dumps(point)],
            cwd=Path(__file__).parent.parent,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
            capture_output=True,
            text=True,
        )
        last = (done.stdout if done.returncode == 0 else done.stderr).splitlines()[-1:]
        if done.returncode:
            say(f"{kind} {value}: failed ({done.returncode}): {''.join(last)[:200]}")
            continue
        keep(file, kind, value, json.loads(last[0]))
        say(f"{kind} {value}: {last[0]}")


def report(backend, found):
    """Lines: exponents first, then all that was measured."""
    yield f"\n{backend}: exponents of growth, of the larger half, at least 2 points\n"
    yield "| what grows | from, to | time | memory |"
    yield "|---|---|---|---|"
    for kind, rows in found.items():
        numbers = larger_half(list(rows))
        cells = [exponent(rows, numbers, one) for one in ("s", "mib")]
        yield f"| {kind} | {numbers[0]}, {numbers[-1]} | {' | '.join(cells)} |"
    yield "\n| what grows | number | ms | MiB | tokens/s |"
    yield "|---|---|---|---|---|"
    for kind, rows in found.items():
        for number, row in rows.items():
            point = {**BASE, kind: int(number)}
            tokens = 1 if kind in DECODED else point["length"] * point["batch"]
            memory = f"{row['mib']:.0f}" if "mib" in row else ""
            yield (
                f"| {kind} | {number} | {row['s'] * 1e3:.1f} | {memory} | "
                f"{tokens / row['s']:.0f} |"
            )


def larger_half(numbers):
    """The last half of a list; of an odd number one more, at least two."""
    return numbers[max(0, min(len(numbers) // 2, len(numbers) - 2)) :]


def exponent(rows, numbers, column):
    """The slope of a line through the logarithms; "" where it was not measured."""
    if column not in rows[numbers[0]]:
        return ""
    pairs = [(int(number), rows[number][column]) for number in numbers]
    return f"{np.polyfit(*np.log(np.array(pairs)).T, 1)[0]:.2f}"


def draw(backend, found, picture):
    """Seconds and memory over each number, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for axis, (title, column, kinds) in zip(
        axes,
        [
            ("a training step, s", "s", VARIED),
            ("its peak memory, MiB", "mib", VARIED),
            ("a token behind so many others, s", "s", DECODED),
        ],
        strict=True,
    ):
        for kind in kinds:
            rows = found.get(kind, {})
            numbers = [int(number) for number in rows]
            axis.loglog(
                numbers, [row[column] for row in rows.values()], "o-", label=kind
            )
        axis.set(title=f"{title} ({backend})")
        axis.set_xscale("log", base=2)
        axis.legend()
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    say(f"drawn: {picture}")


if __name__ == "__main__":
    main()
