"""`make bench`: every contest in fresh processes, and what it shows of each goal.

    python -m benchmarks [CONTEST ...] [--backends NAME ...] [--threads N ...]
        [--processes N] [--repeats N] [--quick] [--missing] [--table]

A contest runs on the backends that it has goals for. A process is pinned to as many
cores as it has threads and calls the rivals in turn, so that a drift of the machine
meets all alike; its figure for a rival is the median. A goal is met or missed where all
processes agree, else open; a process that failed agrees with none, and where all failed
it was not run. Each process's medians are kept in `.cache/speed.json` as soon as they
are there; `--missing` goes on where a run was ended, and `--table` prints from this
file and runs nothing. Of each contest `benchmarks/pictures/speed_CONTEST.png` shows the
goals.

    python -m benchmarks profile [--backends NAME ...]

shows where a training step and decoding spend their time; it has no goals.
"""

import argparse
import collections
import importlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.speed.draw_goals import draw_goals
from benchmarks.speed.goal import BACKENDS
from benchmarks.speed.run_contest import CONTESTS

ROOT = Path(__file__).parent.parent
KEPT = ROOT / ".cache" / "speed.json"
PICTURES = ROOT / "benchmarks" / "pictures"


def main():
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("contests", nargs="*", default=CONTESTS)
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one process, one thread")
    parser.add_argument("--missing", action="store_true", help="keep what is there")
    parser.add_argument("--table", action="store_true", help="print what was kept")
    given = parser.parse_args()
    if given.contests == ["profile"]:
        return profile(given.backends)
    if given.quick:
        given.threads, given.processes, given.repeats = [1], 1, 3
    found = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else []
    if not given.table:
        found = measure(given, found)
    show(found, given)


def measure(given, found):
    """Runs what is asked for; earlier figures of the same kind are replaced or kept."""
    asked = [
        (contest, backend, threads)
        for contest in given.contests
        for backend in given.backends
        for threads in given.threads
        if any(backend in goal.backends for goal in goals_of(contest))
    ]
    kept = [one for one in found if given.missing and one["seconds"]]
    found = [one for one in found if one in kept or kind(one) not in asked]
    done = collections.Counter(map(kind, found))
    rounds = [[one for one in asked if done[one] <= n] for n in range(given.processes)]
    for contest, backend, threads in itertools.chain(*rounds):
        one = run(contest, backend, threads, given.repeats)
        found.append(one)
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(found, indent=1), "utf-8")
        print(
            f"{contest}, {backend}, {threads} threads: {one['took']:.0f} s", flush=True
        )
    return found


def goals_of(contest):
    """What a contest should show."""
    return importlib.import_module(f"benchmarks.speed.{contest}").GOALS


def kind(one):
    """What a process was started for."""
    return one["contest"], one["backend"], one["threads"]


def run(contest, backend, threads, repeats):
    """One process; where it fails, nothing counts."""
    began = time.perf_counter()
    told = process("run_contest", backend, threads, contest, "--repeats", str(repeats))
    return {
        "contest": contest,
        "backend": backend,
        "threads": threads,
        "took": time.perf_counter() - began,
        "seconds": told.get("seconds", {}),
    }


def profile(backends):
    """A process for each backend, one thread."""
    told = {backend: process("profiling", backend, 1) for backend in backends}
    if found := {backend: one for backend, one in told.items() if one}:
        importlib.import_module("benchmarks.speed.profiling").show(found)


def process(module, backend, threads, *arguments):
    """What a module of `benchmarks.speed` prints as JSON in a process of its own.

    Where it fails, what it printed is shown and the dictionary is empty.
    """
    number = str(threads)
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "OMP_NUM_THREADS": number,
        "TF_NUM_INTRAOP_THREADS": number,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    cores = sorted(os.sched_getaffinity(0))[:threads]
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.speed.{module}", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        print(done.stderr[-2000:], file=sys.stderr)
        return {}
    return json.loads(lines[-1])


def show(found, given):
    """Goals first, then the figures that they are made of."""
    print("\n| goal | backend | threads | bound | found | verdict |")
    print("|---|---|---|---|---|---|")
    for contest in given.contests:
        ours = [one for one in found if one["contest"] == contest]
        rows = [row for goal in goals_of(contest) for row in goal_rows(goal, ours)]
        for goal, backend, threads, numbers in rows:
            shown = ", ".join("-" if n is None else f"{n:.2f}" for n in numbers)
            verdict = goal.verdict(numbers)
            row = goal.name, backend, str(threads), goal.bound(), shown, verdict
            print(f"| {' | '.join(row)} |")
        draw_goals(contest, rows, PICTURES / f"speed_{contest}.png")
    print("\n| contest | backend | threads | rival | seconds | rate |")
    print("|---|---|---|---|---|---|")
    for contest in given.contests:
        tokens = importlib.import_module(f"benchmarks.speed.{contest}").tokens
        for row in figure_rows(
            [one for one in found if kind(one)[0] == contest], tokens
        ):
            print(f"| {' | '.join(row)} |")


def goal_rows(goal, found):
    """`(goal, backend, threads, numbers)` of what was started, a number a process."""
    for backend in goal.backends:
        for threads in sorted({one["threads"] for one in found}):
            numbers = [
                goal.of(one["seconds"]) if one["seconds"] else None
                for one in found
                if (one["backend"], one["threads"]) == (backend, threads)
            ]
            if numbers:
                yield goal, backend, threads, numbers


def figure_rows(found, tokens):
    """A row for each rival: the median over the processes.

    Args:
        found: what the processes of a contest gave.
        tokens: function of a rival: the tokens of a call, or `None`.
    """
    for one_kind in sorted({kind(one) for one in found}):
        some = [one["seconds"] for one in found if kind(one) == one_kind]
        for rival in dict.fromkeys(name for seconds in some for name in seconds):
            took = statistics.median(s[rival] for s in some if rival in s)
            count = tokens(rival)
            rate = "" if count is None else f"{count / took:,.0f} tokens/s"
            contest, backend, threads = one_kind
            yield [contest, backend, str(threads), rival, f"{took:.3f}", rate]


if __name__ == "__main__":
    main()
