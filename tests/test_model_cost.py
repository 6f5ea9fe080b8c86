"""benchmarks/model_cost.py: what was measured stays, and the half that counts."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import model_cost

pytestmark = pytest.mark.once


def run(monkeypatch, *options, points):
    """A run on JAX that measures the points, and is then interrupted."""
    left = iter(points)

    def measured(*_, **__):
        if (seconds := next(left, None)) is None:
            raise KeyboardInterrupt
        told = json.dumps({"s": seconds, "mib": 1.0})
        return subprocess.CompletedProcess([], 0, f"{told}\n", "")

    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    monkeypatch.setattr("sys.argv", ["model_cost", *options])
    monkeypatch.setattr(subprocess, "run", measured)
    with pytest.raises(KeyboardInterrupt):
        model_cost.main()


def test_an_interrupted_or_a_quick_run_leaves_what_was_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(model_cost, "KEPT", tmp_path / "新")
    full = tmp_path / "新" / "model-jax.json"

    run(monkeypatch, points=[1.0, 2.0, 3.0])
    run(monkeypatch, points=[7.0])
    run(monkeypatch, "--quick", points=[8.0])

    def seconds():
        found = json.loads(full.read_text("utf-8"))["length"]
        return {number: row["s"] for number, row in found.items()}

    assert seconds() == {"64": 7.0, "128": 2.0, "256": 3.0}
    assert (tmp_path / "新" / "model-jax-quick.json").exists()
    model_cost.keep(full, "length", 8, {"s": 4.0})  # they stay in order
    assert list(seconds()) == ["8", "64", "128", "256"]


def test_a_file_is_whole_at_any_time(monkeypatch, tmp_path):
    def half(path, text, *_):
        path.write_bytes(text.encode()[:5])
        raise KeyboardInterrupt

    file = tmp_path / "a.json"
    model_cost.keep(file, "length", 8, {"s": 4.0})
    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(KeyboardInterrupt):
        model_cost.keep(file, "length", 8, {"s": 5.0})

    assert model_cost.read(file) == {"length": {"8": {"s": 4.0}}}


def test_exponents_are_of_the_larger_half():
    halves = [model_cost.larger_half([*range(size)]) for size in (6, 5, 4, 3, 2, 1)]

    assert halves == [[3, 4, 5], [2, 3, 4], [2, 3], [1, 2], [0, 1], [0]]
    rows = {str(2**n): {"s": 4.0**n if n > 2 else 1.0} for n in range(6)}
    assert "| length | 8, 32 | 2.00 |  |" in model_cost.report("jax", {"length": rows})
