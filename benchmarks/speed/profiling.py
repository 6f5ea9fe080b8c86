"""Where the time of training and of decoding goes: shares by kind of operation.

    python -m benchmarks profile --backends torch

The contest's decoder, one thread: two steps of `fit`, and greedy decoding of one text
with its prompt, each under the backend's profiler once it is warm. Shares are of the
seconds by the clock; what no operation covers is Python, Keras and the framework.
"""

import json
import time
from collections import Counter

import keras
import numpy as np

from benchmarks.speed import decoding, training
from benchmarks.speed.op_groups import GROUPS, group_of

BETWEEN = "Python, Keras, the framework between operations"
TOP = 12


def main():
    """One backend, in this process: a line of JSON."""
    print(json.dumps({name: shares(call) for name, call in workloads().items()}))


def workloads():
    """The calls, as in the contests `training` and `decoding`."""
    from keras_lm.generation import generate
    from keras_lm.training import MaskedCrossEntropy

    rows = training.STEPS * training.BATCH, training.LENGTH + 1
    random = np.random.default_rng(0)
    ids = random.integers(0, training.VOCABULARY, rows, dtype="int32")
    model = training.decoder(0.0)
    fit = training.fitted(model, MaskedCrossEntropy(), ids[:, :-1], ids[:, 1:])
    prompt = ids[:1, : decoding.PROMPT]
    # PyTorch's profiler needs a gigabyte for the events of one.
    calls = 1 if keras.backend.backend() == "torch" else 4
    return {
        "training": fit,
        "decoding": lambda: [
            generate(model, prompt, decoding.NEW) for _ in range(calls)
        ],
    }


def shares(call):
    """What a call spends its time in.

    Args:
        call: function without arguments.

    Returns:
        dictionary: `seconds` of the call by the clock and of processor time, which are
        far apart where others use the core too; `groups`, the share of each; `top`, the
        slowest operations: group, label, share and number of runs.
    """
    if keras.backend.backend() == "torch":
        from benchmarks.speed.torch_profile import profiled
    else:
        from benchmarks.speed.xla_profile import profiled
    clocks = {"clock": time.perf_counter, "processor": time.process_time}
    seconds = {}

    def timed():
        seconds.update({name: -clock() for name, clock in clocks.items()})
        call()
        seconds.update({name: seconds[name] + clocks[name]() for name in clocks})

    call()
    operations, inside = profiled(timed)
    # Where two threads have one core, an operation also waits for the other's.
    scale = inside / sum(one.seconds for one in operations) / seconds["clock"]
    groups, labels, runs, kinds = Counter(), Counter(), Counter(), {}
    for one in operations:
        groups[group_of(one)] += one.seconds * scale
        labels[one.label] += one.seconds * scale
        runs[one.label] += 1
        kinds[one.label] = group_of(one)
    groups[BETWEEN] = 1 - inside / seconds["clock"]
    top = [(kinds[name], name, share, runs[name]) for name, share in labels.items()]
    top = sorted(top, key=lambda one: -one[2])[:TOP]
    return {"seconds": seconds, "groups": groups, "top": top}


def show(found):
    """Prints a table for each call, and below it each backend's slowest operations.

    Args:
        found: dictionary: what `main` printed, by backend.
    """
    for workload in next(iter(found.values())):
        by_backend = {backend: one[workload] for backend, one in found.items()}
        print(f"\n| {workload}: share of the time, % | {' | '.join(by_backend)} |")
        print("|---" * (len(by_backend) + 1) + "|")
        for group in (BETWEEN, *GROUPS):
            cells = [one["groups"].get(group, 0) for one in by_backend.values()]
            if any(cells):
                print(f"| {group} | {' | '.join(f'{c:.1%}'[:-1] for c in cells)} |")
        cells = [one["seconds"] for one in by_backend.values()]
        cells = [f"{s['clock']:.2f} ({s['processor']:.2f})" for s in cells]
        print(f"| seconds (of processor time) | {' | '.join(cells)} |")
        for backend, one in by_backend.items():
            print(f"\n{backend}, {workload}: the slowest operations")
            print("\n| % | runs | group | operation |\n|---|---|---|---|")
            for group, name, share, runs in one["top"]:
                print(f"| {share:.1%} | {runs} | {group} | {name} |".replace("%", ""))


if __name__ == "__main__":
    main()
