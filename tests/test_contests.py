"""benchmarks.speed: each contest, made small, runs to figures for all its goals."""

import importlib
import json
import sys

import keras
import pytest

from benchmarks.speed import run_contest
from benchmarks.speed.run_contest import CONTESTS

pytestmark = pytest.mark.slow
SMALL = {
    "LAYERS": 1,
    "HEADS": 2,
    "WIDTH": 32,
    "VOCABULARY": 600,
    "BATCH": 2,
    "PROMPT": 4,
    "DRAWN": 2,
    "SIDE": 16,
}
SMALL_TOO = {
    "local": {"LENGTHS": dict.fromkeys(("jax", "tensorflow", "torch"), 1024)},
    "translating": {"ROWS": 2, "SOURCE": 5},
    "lstm": {"STEPS": 1},
}
# As wide as `benchmarks.measure_cost` makes its layers.
KEPT = {"local": ("HEADS", "WIDTH")}


@pytest.mark.parametrize("name", CONTESTS)
def test_a_small_contest_has_figures_for_its_goals(name, monkeypatch, capsys):
    for of in ("training", "decoding", name):
        module = importlib.import_module(f"benchmarks.speed.{of}")
        small = {**SMALL, **SMALL_TOO.get(of, {})}
        for constant in [one for one in small if one not in KEPT.get(of, ())]:
            if hasattr(module, constant):
                monkeypatch.setattr(module, constant, small[constant])
    contest = importlib.import_module(f"benchmarks.speed.{name}")
    backend = keras.backend.backend()
    goals = [goal for goal in contest.GOALS if backend in goal.backends]
    if not goals:
        pytest.skip(f"no goals on {backend}")
    if name == "local" and backend == "torch":
        pytest.importorskip("local_attention", reason="of .venv-bench")
    if name == "training" and backend == "torch":
        pytest.importorskip("x_transformers", reason="of .venv-bench")
    monkeypatch.setattr("keras_lm.training.retain_memory", lambda: None)
    monkeypatch.setattr(sys, "argv", ["run_contest", name, "--repeats", "1"])

    run_contest.main()

    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    if told["rounds"]:
        assert told["tokens"].keys() == told["rounds"][0].keys()
        assert all(took > 0 for took in told["rounds"][0].values())
        assert all(goal.numbers(told["rounds"])[0] > 0 for goal in goals)
    else:
        assert "why" in told and name == "bfloat16"
