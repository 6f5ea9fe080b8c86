"""One contest in this process, on this backend: a line of JSON.

KERAS_BACKEND=jax python -m benchmarks.speed.run_contest training --repeats 5
"""

import argparse
import importlib
import json
import time

from benchmarks.speed.goal import CannotRunError

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
    contest = importlib.import_module(f"benchmarks.speed.{given.contest}")
    try:
        calls = contest.rivals()
    except CannotRunError as reason:
        return print(json.dumps({"rounds": [], "why": str(reason)}))
    calls = {name: calls[name] for name in given.only or calls}
    tokens = {name: contest.tokens(name) for name in calls}
    print(json.dumps({"rounds": in_turn(calls, given.repeats), "tokens": tokens}))


def in_turn(calls, repeats):
    """Seconds of each call, run alternately after one call to warm up.

    A call that gives a float measured itself.

    Args:
        calls: dict of functions without arguments that return when the work is done.
        repeats: int, at least 1.

    Returns:
        list of a dict of float for each round.
    """
    for call in calls.values():
        call()
    rounds = []
    for _ in range(repeats):
        rounds.append({})
        for name, call in calls.items():
            began = time.perf_counter()
            own = call()
            took = time.perf_counter() - began
            rounds[-1][name] = own if isinstance(own, float) else took
    return rounds


if __name__ == "__main__":
    main()
