"""`make bench`: every contest in fresh processes, and what it shows of each goal.

    python -m benchmarks [CONTEST ...] [--backends NAME ...] [--threads N ...]
        [--processes N] [--repeats N] [--quick] [--missing] [--table]

A contest runs on the backends that it has goals for. A process is pinned to as many
cores as it has threads and calls the rivals in turn, round by round, so that a drift of
the machine meets all alike; a goal is a bound on a number of each round. It is met or
missed where all rounds of at least two processes agree, else open; where a process
failed it is open too, and where all did it was not run. For one that is not met, the
table says what bounds it (`benchmarks/reasons.py`).

What each process found is kept in `.cache/speed.json` as soon as it is there, with the
state of the code and of `constraints.txt`. `--missing` goes on where a run was ended,
and measures again what is of another state or of fewer rounds; `--table` prints from
this file and runs nothing. Of each contest `benchmarks/pictures/speed_CONTEST.png`
shows the goals. `--quick` is one process of one round, on one thread: it establishes
nothing, is kept in `.cache/speed-quick.json`, and draws nothing.

    python -m benchmarks profile [--backends NAME ...]

shows where a training step and decoding spend their time; it has no goals.
"""

import argparse
import collections
import hashlib
import importlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.reasons import REASONS
from benchmarks.speed.draw_goals import draw_goals
from benchmarks.speed.goal import BACKENDS
from benchmarks.speed.run_contest import CONTESTS
from keras_lm.files import complete_file

ROOT = Path(__file__).parent.parent
KEPT = ROOT / ".cache"
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
        given.threads, given.processes, given.repeats = [1], 1, 1
    file = KEPT / ("speed-quick.json" if given.quick else "speed.json")
    found = json.loads(file.read_text("utf-8")) if file.exists() else []
    if not given.table:
        found = measure(given, found, file)
    show(found, given.contests)
    if not given.quick:
        for contest in given.contests:
            draw_goals(
                contest, goal_rows(contest, found), PICTURES / f"speed_{contest}.png"
            )


def measure(given, found, file):
    """Runs what is asked for; earlier figures of the same kind are replaced or kept."""
    code = state_of_code()
    asked = [
        (contest, backend, threads)
        for contest in given.contests
        for backend in given.backends
        for threads in contest_threads(contest, given.threads)
        if any(backend in goal.backends for goal in goals_of(contest))
    ]

    def is_kept(one):
        alike = one["code"] == code and len(one["rounds"]) >= given.repeats
        return given.missing and alike

    found = [one for one in found if is_kept(one) or kind(one) not in asked]
    done = collections.Counter(map(kind, found))
    turns = [[one for one in asked if done[one] <= n] for n in range(given.processes)]
    for contest, backend, threads in itertools.chain(*turns):
        found.append(run(contest, backend, threads, given.repeats) | {"code": code})
        file.parent.mkdir(exist_ok=True)
        with complete_file(file, overwrite=True) as place:
            place.write_text(json.dumps(found), "utf-8")
        took = found[-1]["took"]
        print(f"{contest}, {backend}, threads: {threads}; {took:.0f} s", flush=True)
    return found


def state_of_code():
    """A digest of what is measured and of the versions that it runs on."""
    digest = hashlib.sha256()
    files = itertools.chain(
        ROOT.glob("keras_lm/**/*.py"), ROOT.glob("benchmarks/speed/*.py")
    )
    for file in [*sorted(files), ROOT / "constraints.txt"]:
        digest.update(f"{file.relative_to(ROOT)}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def contest_of(name):
    """The module of a contest."""
    return importlib.import_module(f"benchmarks.speed.{name}")


def goals_of(contest):
    """What a contest should show."""
    return contest_of(contest).GOALS


def contest_threads(contest, threads):
    """Of the asked numbers those that mean something to a contest."""
    own = getattr(contest_of(contest), "THREADS", threads)
    return [number for number in threads if number in own]


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
        "tokens": {},
        "why": "",
        **told,
    }


def profile(backends):
    """A process for each backend, one thread."""
    told = {backend: process("profiling", backend, 1) for backend in backends}
    if found := {name: one for name, one in told.items() if "why" not in one}:
        importlib.import_module("benchmarks.speed.profiling").show(found)


def process(module, backend, threads, *arguments):
    """What a module of `benchmarks.speed` prints as JSON in a process of its own.

    Where it fails, what it printed is shown; then there are no rounds, and why.
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
        last = done.stderr.strip().splitlines()[-1:] or ["no result"]
        return {"rounds": [], "why": f"failed ({done.returncode}): {last[0]}"}
    return json.loads(lines[-1])


def show(found, contests):
    """Goals first, then the figures that they are made of."""
    print("\n| goal | backend | threads | bound | found | verdict | what bounds it |")
    print("|---|---|---|---|---|---|---|")
    for goal, backend, threads, processes, why in itertools.chain(
        *(goal_rows(contest, found) for contest in contests)
    ):
        verdict = goal.verdict(processes)
        shown = "; ".join(map(in_short, processes))
        bounds = "" if verdict == "met" else why or REASONS.get(goal.name, "")
        row = goal.name, backend, str(threads), goal.bound(), shown, verdict, bounds
        print(f"| {' | '.join(row)} |")
    print("\n| contest | backend | threads | rival | seconds | rate |")
    print("|---|---|---|---|---|---|")
    for contest in contests:
        for row in figure_rows([one for one in found if one["contest"] == contest]):
            print(f"| {' | '.join(row)} |")
    code = state_of_code()
    if old := {", ".join(map(str, kind(one))) for one in found if one["code"] != code}:
        print(f"\nMeasured before the code was as it is: {'; '.join(sorted(old))}.")


def in_short(numbers):
    """The median of a process, and its range."""
    if not numbers:
        return "-"
    return (
        f"{statistics.median(numbers):.2f} ({min(numbers):.2f} to {max(numbers):.2f})"
    )


def goal_rows(contest, found):
    """What was found of a contest's goals.

    Args:
        contest: str.
        found: what all processes gave.

    Returns:
        list of `(goal, backend, threads, processes, why)`: processes as `Goal.verdict`
        takes them, and why there are none. A goal for the best backend has one row.
    """
    some = [one for one in found if one["contest"] == contest]
    rows = []
    for goal in goals_of(contest):
        for threads in sorted({one["threads"] for one in some}):
            own = [one for one in some if one["threads"] == threads]
            own = [goal_row(goal, backend, threads, own) for backend in goal.backends]
            own = [row for row in own if row[3]]
            if goal.best and own:
                best = max(own, key=lambda row: row[0].median_reached(row[3]))
                own = [(goal, f"{best[1]}, the best", *best[2:])]
            rows += own
    return rows


def goal_row(goal, backend, threads, found):
    """As `goal_rows`, of a backend; without processes where none was started."""
    ours = [one for one in found if one["backend"] == backend]
    why = [one["why"] for one in ours if one["why"]]
    processes = [goal.numbers(one["rounds"]) for one in ours]
    return goal, backend, threads, processes, why[-1] if why else ""


def figure_rows(found):
    """A row for each rival of a contest: the median over the processes' medians.

    Args:
        found: what the processes of the contest gave.
    """
    for one_kind in sorted({kind(one) for one in found}):
        ours = [one for one in found if kind(one) == one_kind and one["rounds"]]
        for rival in dict.fromkeys(name for one in ours for name in one["rounds"][0]):
            medians = [
                statistics.median(seconds[rival] for seconds in one["rounds"])
                for one in ours
                if rival in one["rounds"][0]
            ]
            took = statistics.median(medians)
            count = ours[-1]["tokens"].get(rival)
            rate = "" if count is None else f"{count / took:,.0f} tokens/s"
            contest, backend, threads = one_kind
            yield [contest, backend, str(threads), rival, f"{took:.3f}", rate]


if __name__ == "__main__":
    main()
