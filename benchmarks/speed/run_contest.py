"""One contest in this process, on this backend: a line of JSON.

KERAS_BACKEND=jax python -m benchmarks.speed.run_contest training --repeats 5
"""

import argparse
import importlib
import json
import statistics
import time

CONTESTS = (
    "training",
    "decoding",
    "translating",
    "on_device",
    "local",
    "bfloat16",
    "lstm",
    "feeding",
    "buckets",
    "starting",
)


def main():
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.run_contest")
    parser.add_argument("contest", choices=CONTESTS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], help="rivals to run")
    given = parser.parse_args()
    from keras_lm import training

    training.retain_memory()  # all rivals gain by it
    calls = importlib.import_module(f"benchmarks.speed.{given.contest}").rivals()
    if given.only:
        calls = {name: calls[name] for name in given.only}
    print(json.dumps({"seconds": in_turn(calls, given.repeats)}))


def in_turn(calls, repeats):
    """Median seconds of each call, run alternately after one call to warm up.

    A call that gives a float measured itself.

    Args:
        calls: dict of functions without arguments that return when the work is done.
        repeats: int, at least 1.

    Returns:
        dict of float.
    """
    for call in calls.values():
        call()
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            own = call()
            took = time.perf_counter() - began
            seconds[name].append(own if isinstance(own, float) else took)
    return {name: statistics.median(took) for name, took in seconds.items()}


if __name__ == "__main__":
    main()
