"""Runs the experiment that could prove each attention layer wrong; prints a table.

    KERAS_BACKEND=jax python -m benchmarks.attention_claims [NAME ...] [--data DIR]

Each row is a claim with its threshold, what was measured, the same of the baseline, and
the verdict. A claim that fails is reported as failed. Without `NAME`s all experiments
run, one after the other; what they found is kept in `.cache/claims/`, so that the table
can be put together from several runs: `--table` prints what is there and runs nothing.
"""

import argparse
import dataclasses
import importlib
import json
import time
from pathlib import Path

from benchmarks.claim import Claim

HERE = Path(__file__).parent
KEPT = HERE.parent / ".cache" / "claims"
EXPERIMENTS = sorted(p.stem for p in (HERE / "experiments").glob("[a-z]*.py"))


def main():
    """Reads the command line, runs and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention_claims")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--table", action="store_true", help="print what was found")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(EXPERIMENTS))
    if unknown:
        parser.error(f"NAME must be one of {EXPERIMENTS}. Received: {unknown}")
    names = given.names or EXPERIMENTS
    if not given.table:
        for name in names:
            run(name, given.data)
    for line in table(names):
        print(line)


def run(name, data):
    """Runs one experiment and keeps what it found."""
    import keras

    experiment = importlib.import_module(f"benchmarks.experiments.{name}")
    began = time.perf_counter()
    claims = experiment.run(data)
    found = {
        "claims": [dataclasses.asdict(claim) for claim in claims],
        "backend": keras.backend.backend(),
        "seconds": round(time.perf_counter() - began),
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(found, indent=1), "utf-8")


def table(names):
    """Lines of a Markdown table of what was found."""
    yield "| layer | claim | measured | baseline | verdict | run |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        path = KEPT / f"{name}.json"
        if not path.exists():
            continue
        found = json.loads(path.read_text("utf-8"))
        for row in found["claims"]:
            claim = Claim(**row)
            cells = [claim.layer, claim.claim, claim.measured, claim.baseline]
            cells += [claim.verdict, f"{found['backend']}, {found['seconds']} s"]
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
