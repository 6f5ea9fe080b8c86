"""benchmarks: what of each goal is shown, in a table and in a picture."""

import importlib
import json
import sys

import pytest

import benchmarks.__main__ as command
from benchmarks.reasons import REASONS
from benchmarks.speed.draw_goals import draw_goals
from benchmarks.speed.goal import BACKENDS, Goal
from benchmarks.speed.run_contest import CONTESTS, in_turn

pytestmark = pytest.mark.once
GPT2 = "training / KerasHub GPT-2"


def ran(backend, threads, *ratios, **more):
    """What a process found: ours took a second each round, KerasHub so many."""
    return {
        "contest": "training",
        "backend": backend,
        "threads": threads,
        "took": 1.0,
        "rounds": [{"keras_lm": 1.0, "KerasHub": ratio} for ratio in ratios],
        "tokens": {"keras_lm": 4096},
        "why": "" if ratios else "failed (1): no memory",
        "code": command.state_of_code(),
        **more,
    }


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    """A function of a command line and what was kept: the lines that are printed."""
    monkeypatch.setattr(command, "KEPT", tmp_path)
    monkeypatch.setattr(command, "PICTURES", tmp_path)

    def run(*arguments, kept=()):
        if kept:
            (tmp_path / "speed.json").write_text(json.dumps(kept), "utf-8")
        monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
        command.main()
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def started(monkeypatch):
    """What `run` is called with; each ratio is 4, and of other contests is nothing."""
    calls = []

    def run(contest, backend, threads, repeats):
        calls.append((contest, backend, threads, repeats))
        ratios = [4.0] * repeats if contest == "training" else []
        return ran(backend, threads, *ratios, contest=contest)

    monkeypatch.setattr(command, "run", run)
    return calls


def rows_of(lines, name):
    start = f"| {name} | "
    return [line.removeprefix(start) for line in lines if line.startswith(start)]


def test_goals_are_shown_and_drawn_from_what_was_kept(bench, tmp_path, monkeypatch):
    monkeypatch.setitem(REASONS, GPT2, "the products")
    found = [
        ran("torch", 1, 1.5, 1.4, 1.6),
        ran("torch", 1, 1.3, 1.3, 1.25),
        ran("torch", 2, 1.5, 1.5),
        ran("torch", 2, 1.5, 1.2),
        ran("jax", 1, 0.5, 0.6),
        ran("jax", 1, 0.5, 1.2),
        ran("jax", 2, 1.5),
        ran("tensorflow", 1),
        ran("tensorflow", 2, 1.5),
        ran("tensorflow", 2),
    ]

    lines = bench("training", "--table", kept=found)

    assert rows_of(lines, GPT2) == [
        "tensorflow | 1 | ≥ 1.25 | - | not run | failed (1): no memory |",
        "jax | 1 | ≥ 1.25 | 0.55 (0.50 to 0.60); 0.85 (0.50 to 1.20) | missed "
        "| the products |",
        "torch | 1 | ≥ 1.25 | 1.50 (1.40 to 1.60); 1.30 (1.25 to 1.30) | met |  |",
        "tensorflow | 2 | ≥ 1.25 | 1.50 (1.50 to 1.50); - | open "
        "| failed (1): no memory |",
        "jax | 2 | ≥ 1.25 | 1.50 (1.50 to 1.50) | open | the products |",
        "torch | 2 | ≥ 1.25 | 1.50 (1.50 to 1.50); 1.35 (1.20 to 1.50) | open "
        "| the products |",
    ]
    assert "| training | torch | 1 | KerasHub | 1.400 |  |" in lines
    assert "| training | torch | 1 | keras_lm | 1.000 | 4,096 tokens/s |" in lines
    assert not [line for line in lines if line.startswith("Measured before")]
    assert (tmp_path / "speed_training.png").read_bytes()[1:4] == b"PNG"


def test_a_goal_for_the_best_backend_has_one_row(bench):
    def lstm(backend, *ratios):
        rounds = [{"keras_lm": 1.0, "torch.nn.LSTM": ratio} for ratio in ratios]
        return ran(backend, 1, contest="lstm", rounds=rounds, why="")

    found = [lstm("jax", 0.9, 1.0), lstm("torch", 1.1, 1.2), lstm("torch", 1.1, 1.3)]

    lines = bench("lstm", "--table", kept=found)

    assert rows_of(lines, "LSTM training / torch.nn.LSTM") == [
        "torch, the best | 1 | ≥ 1.05 | 1.15 (1.10 to 1.20); 1.20 (1.10 to 1.30) "
        "| met |  |"
    ]


def test_a_run_that_was_ended_goes_on(bench, started, tmp_path):
    # Both processes on torch; on JAX one that failed, and three that are not alike.
    found = [ran("torch", 1, *[3.0] * 5)] * 2
    found += [ran("jax", 1), ran("jax", 1, *[3.0] * 4), ran("jax", 1, *[3.0] * 5)]
    found += [ran("jax", 1, *[3.0] * 5, code="another")]

    lines = bench("training", "--missing", "--threads", "1", kept=found)

    every = [("training", backend, 1, 5) for backend in BACKENDS]
    assert started == [every[0], every[0], every[1]]
    kept = json.loads((tmp_path / "speed.json").read_text("utf-8"))
    after = sorted((one["backend"], one["rounds"][0]["KerasHub"]) for one in kept)
    assert after == [
        *[("jax", 3), ("jax", 4)],
        *[("tensorflow", 4)] * 2,
        *[("torch", 3)] * 2,
    ]
    assert len(rows_of(lines, GPT2)) == 3


def test_without_missing_all_that_is_asked_for_is_measured_again(bench, started):
    found = [ran("torch", 1, *[3.0] * 5), ran("torch", 2, 3.0, code="another")]

    arguments = ["training", "--backends", "torch", "--threads", "1"]
    lines = bench(*arguments, kept=found)

    assert started == [("training", "torch", 1, 5)] * 2
    assert [row[:24] for row in rows_of(lines, GPT2)] == [
        "torch | 1 | ≥ 1.25 | 4.0",
        "torch | 2 | ≥ 1.25 | 3.0",
    ]
    assert lines[-1] == "Measured before the code was as it is: training, torch, 2."


def test_a_quick_look_leaves_what_was_measured_alone(
    bench, started, tmp_path, monkeypatch
):
    monkeypatch.setitem(REASONS, GPT2, "")
    found = [ran("jax", 1, *[3.0] * 5)]
    contests = ["on_device", "bfloat16", "training"]

    lines = bench(*contests, "--quick", "--backends", "jax", kept=found)

    assert started == [(contest, "jax", 1, 1) for contest in contests]
    assert json.loads((tmp_path / "speed.json").read_text("utf-8")) == found
    assert not list(tmp_path.glob("*.png"))
    assert rows_of(lines, GPT2) == [
        "jax | 1 | ≥ 1.25 | 4.00 (4.00 to 4.00) | open |  |"
    ]


def test_a_contest_runs_where_it_has_goals_and_on_threads_that_matter(bench, started):
    bench("on_device", "starting", "--processes", "1")

    assert [one[:3] for one in started] == [
        ("on_device", "jax", 1),
        ("on_device", "jax", 2),
        *(("starting", backend, 1) for backend in BACKENDS),
    ]


def test_a_contest_that_fails_says_why(monkeypatch, capsys):
    told = command.run("no_such_contest", "torch", 1, 1)

    assert told["rounds"] == []
    assert told["why"].startswith("failed (2): ")
    assert "invalid choice: 'no_such_contest'" in told["why"]
    assert "no_such_contest" in capsys.readouterr().err


def test_rounds_go_through_the_rivals_in_turn():
    called = []

    rounds = in_turn({"a": lambda: called.append("a"), "b": lambda: 3.0}, 2)

    assert called == ["a"] * 3  # one to warm up
    assert [one["b"] for one in rounds] == [3.0, 3.0]
    assert all(0 <= one["a"] < 1 for one in rounds)


def test_a_goal_is_reached_from_1_on_whichever_way_it_is_bounded():
    speed, time = Goal("a", None, at_least=2.0), Goal("b", None, at_most=0.5)

    assert [speed.reached(n) for n in (1.0, 2.0, 4.0)] == [0.5, 1.0, 2.0]
    assert [time.reached(n) for n in (1.0, 0.5, 0.25)] == [0.5, 1.0, 2.0]


def test_every_reason_is_that_of_a_goal():
    contests = [importlib.import_module(f"benchmarks.speed.{one}") for one in CONTESTS]

    assert set(REASONS) <= {goal.name for one in contests for goal in one.GOALS}


def test_nothing_is_drawn_of_what_was_not_run(tmp_path):
    goal = Goal("a", None, at_least=2.0)

    draw_goals("contest", [(goal, "jax", 1, [[]], "")], tmp_path / "none.png")

    assert list(tmp_path.iterdir()) == []
