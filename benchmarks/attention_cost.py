"""What each attention layer costs in time and memory as the text grows.

    KERAS_BACKEND=jax python -m benchmarks.attention_cost [--layers NAME ...]
        [--lengths N ...] [--quick]
    python -m benchmarks.attention_cost --table

One layer: batch 1, 4 heads of 64 in a model of 256, causal self-attention; the forward
pass, and both passes (the gradient of the weights and of the input), compiled as `fit`
compiles: `jax.jit`, `tf.function`, PyTorch as it comes. Local attention has a window of
256, regional attention regions of 128.

Each layer and length is measured in a process of its own, one after the other. Seconds
are the median of several calls after one to warm up. Memory is the largest resident set
of the process, above what it holds after the imports, the layer and a call of 64 steps.
`keras.layers.MultiHeadAttention` is measured up to the length at which its memory, if
it grew fourfold with each doubling, would pass 8 GiB; and no quadratic layer where its
next call would take longer than 20 s by the same rule.

Ratios of time come from one more process, which holds both layers and calls them in
turn, at the longest common length, and at 8,192 where that is below it. Exponents are
the slope of a line through the logarithms from 2,048 steps on: 1 is linear, 2 is
quadratic. Every measurement is kept in `.cache/cost/<backend>.json` as soon as it is
there; `--table` prints from these files and runs nothing. The picture is
`.cache/cost/<backend>.png`.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
KEPT = HERE.parent / ".cache" / "cost"
BACKENDS = ("jax", "tensorflow", "torch")
NAMES = ("local", "regional", "dynamic", "multi_head", "keras")
PASSES = ("forward", "both")
MOST_MIB, MOST_S = 8 * 1024, 20.0
FITTED_FROM, COMPARED_AT = 2048, 8192


def main():
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention_cost")
    parser.add_argument("--layers", nargs="+", default=NAMES, choices=NAMES)
    lengths = [2**power for power in range(10, 16)]
    parser.add_argument("--lengths", nargs="+", type=int, default=lengths)
    parser.add_argument("--quick", action="store_true", help="up to 4,096, few calls")
    parser.add_argument("--table", action="store_true", help="print what was kept")
    given = parser.parse_args()
    kept = BACKENDS
    if not given.table:
        backend = importlib.import_module("keras").backend.backend()
        kept = [backend]
        lengths = sorted(given.lengths)
        if given.quick:
            lengths = [length for length in lengths if length <= 4096]
        measure(backend, given.layers, lengths, 0.5 if given.quick else 2.0)
    for backend in kept:
        if (KEPT / f"{backend}.json").exists():
            found = read(backend)
            print("\n".join(report(backend, found)))
            draw(backend, found)


def measure(backend, layers, lengths, seconds):
    """Measures every layer at every length, then two at a time; keeps each at once."""
    found = read(backend)
    for length in lengths:
        for name in layers:
            why = reason_to_skip(name, length, found["alone"].get(name, {}))
            result = {"skipped": why} if why else child(name, length, seconds)
            found["alone"].setdefault(name, {})[str(length)] = result
            say(f"{name} {length}: {result}")
            keep(backend, found)
    for name in layers:
        for length in common_lengths(found, name):
            result = child(name, length, 2 * seconds, beside="keras")
            found["beside"].setdefault(name, {})[str(length)] = result
            say(f"{name} beside keras, {length}: {result}")
            keep(backend, found)


def reason_to_skip(name, length, rows):
    """Why a layer is not measured at this length, by its longest before; or ""."""
    if name == "regional" and not has_layer("RegionalAttention"):
        return "keras_lm has no RegionalAttention"
    done = {int(n): row for n, row in rows.items() if "both_s" in row}
    shorter = [n for n in done if n < length]
    if not shorter:
        failed = [int(n) for n, row in rows.items() if int(n) < length]
        return f"{rows[str(max(failed))]['skipped']}" if failed else ""
    last = max(shorter)
    factor = (length / last) ** 2
    mib, took = done[last]["both_mib"] * factor, done[last]["both_s"] * factor
    if name == "keras" and mib > MOST_MIB:
        return f"{mib / 1024:.0f} GiB predicted"
    if name not in ("local", "regional") and took > MOST_S:
        return f"{took:.0f} s predicted"
    return ""


def has_layer(name):
    """Whether this version of keras_lm has a layer."""
    return hasattr(importlib.import_module("keras_lm.layers"), name)


def child(name, length, seconds, beside=None):
    """One measurement in a new process; what went wrong if it failed."""
    command = [sys.executable, "-m", "benchmarks.measure_cost", name, str(length)]
    command += ["--seconds", str(seconds), *(["--beside", beside] if beside else [])]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    load = os.getloadavg()[0]
    try:
        done = subprocess.run(
            command,
            cwd=HERE.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
        )
    except subprocess.TimeoutExpired:
        return {"skipped": "longer than 180 s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {"skipped": f"failed ({done.returncode}): {last[:120]}"}
    return {**json.loads(done.stdout.splitlines()[-1]), "load": round(load, 1)}


def common_lengths(found, name):
    """The longest length that Keras' layer and this one have, and 8,192 below it."""
    if name == "keras":
        return []
    lengths = set(measured(found, name)) & set(measured(found, "keras"))
    longest = {max(lengths)} if lengths else set()
    return sorted(longest | (lengths & {COMPARED_AT}))


def measured(found, name):
    """`{length: row}` of what was measured and not skipped."""
    rows = found["alone"].get(name, {})
    done = {int(n): row for n, row in rows.items() if "both_s" in row}
    return dict(sorted(done.items()))


def report(backend, found):
    """Lines: ratios first, then exponents, then all that was measured."""
    loads = [
        row["load"]
        for rows in found["alone"].values()
        for row in rows.values()
        if "load" in row
    ]
    yield f"\n{backend}: the machine is shared, load {min(loads)} to {max(loads)} on"
    yield f"{os.cpu_count()} processors; trust ratios more than seconds."
    yield "\nKeras' MultiHeadAttention, divided by the layer:\n"
    yield from ratios(found)
    yield f"\nExponents of growth from {FITTED_FROM} steps on:\n"
    yield from exponents(found)
    yield "\nAll that was measured:\n"
    yield from everything(found)


def ratios(found):
    """Rows of Keras' layer over ours, time in turn and memory alone."""
    yield "| layer | steps | time, forward | time, both passes | memory, both passes |"
    yield "|---|---|---|---|---|"
    for name, rows in found["beside"].items():
        for length, row in rows.items():
            if "both_s" not in row:
                yield f"| {name} | {length} | {row['skipped']} | | |"
                continue
            times = [row[f"{which}_s"] for which in PASSES]
            sizes = [found["alone"][x][length]["both_mib"] for x in (name, "keras")]
            cells = [f"{theirs / ours:.2f}" for ours, theirs in [*times, sizes]]
            yield f"| {name} | {length} | {' | '.join(cells)} |"


def exponents(found):
    """Rows of slopes on logarithmic axes."""
    yield "| layer | up to | time, forward | both | memory, forward | both |"
    yield "|---|---|---|---|---|---|"
    for name in found["alone"]:
        rows = measured(found, name)
        if len([length for length in rows if length >= FITTED_FROM]) < 2:
            continue
        columns = [f"{which}_{unit}" for unit in ("s", "mib") for which in PASSES]
        cells = [f"{exponent(rows, column):.2f}" for column in columns]
        yield f"| {name} | {max(rows)} | {' | '.join(cells)} |"


def everything(found):
    """Rows of milliseconds and MiB."""
    yield "| layer | steps | forward, ms | both, ms | forward, MiB | both, MiB |"
    yield "|---|---|---|---|---|---|"
    for name, rows in found["alone"].items():
        for length, row in rows.items():
            if "both_s" not in row:
                yield f"| {name} | {length} | {row['skipped']} | | | |"
                continue
            cells = [f"{row[f'{which}_s'] * 1e3:.0f}" for which in PASSES]
            cells += [f"{row[f'{which}_mib']:.0f}" for which in PASSES]
            yield f"| {name} | {length} | {' | '.join(cells)} |"


def exponent(rows, column):
    """The slope of a line through the logarithms of length and measurement."""
    points = [(n, row[column]) for n, row in rows.items() if n >= FITTED_FROM]
    lengths, values = np.log(np.array(points)).T
    return np.polyfit(lengths, values, 1)[0]


def draw(backend, found):
    """Time and memory over length, both axes logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    columns = {"both_s": "s", "both_mib": "MiB"}
    for axis, (column, unit) in zip(axes, columns.items(), strict=True):
        for name in found["alone"]:
            rows = measured(found, name)
            values = [row[column] for row in rows.values()]
            axis.loglog(list(rows), values, "o-", base=2, label=name)
        axis.set(xlabel="steps", ylabel=unit, title=f"forward + backward ({backend})")
        axis.set_yscale("log", base=10)
    axes[0].legend()
    figure.savefig(KEPT / f"{backend}.png", dpi=120)
    plt.close(figure)
    say(f"drawn: {KEPT / f'{backend}.png'}")


def read(backend):
    """What was kept of a backend."""
    path = KEPT / f"{backend}.json"
    return (
        json.loads(path.read_text("utf-8"))
        if path.exists()
        else {"alone": {}, "beside": {}}
    )


def keep(backend, found):
    """Writes what was measured so far."""
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{backend}.json").write_text(json.dumps(found, indent=1), "utf-8")


def say(line):
    """Progress, apart from the report."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
