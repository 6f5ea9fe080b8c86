"""benchmarks: what of each goal is shown, in a table and in a picture."""

import json
import sys

import pytest

import benchmarks.__main__ as command
from benchmarks.speed.draw_goals import draw_goals
from benchmarks.speed.goal import BACKENDS, Goal

pytestmark = pytest.mark.once


def ran(backend, threads, ours, rival):
    seconds = {} if ours is None else {"keras_lm": ours, "KerasHub": rival}
    told = {"contest": "training", "backend": backend, "threads": threads}
    return told | {"took": 1.0, "seconds": seconds}


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_goals_are_shown_and_drawn_from_what_was_kept(tmp_path, monkeypatch, capsys):
    found = [
        ran("torch", 1, 2.0, 3.0),
        ran("torch", 1, 2.0, 2.6),
        ran("torch", 2, 2.0, 3.0),
        ran("torch", 2, 2.0, 2.0),
        ran("jax", 1, 2.0, 1.0),
        ran("jax", 1, None, None),
        ran("tensorflow", 1, None, None),
    ]
    kept = tmp_path / "speed.json"
    kept.write_text(json.dumps(found))
    monkeypatch.setattr(command, "KEPT", kept)
    monkeypatch.setattr(command, "PICTURES", tmp_path)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "training", "--table"])

    command.main()

    name = "| training / KerasHub GPT-2 |"
    rows = [
        line.removeprefix(name)
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(name)
    ]
    assert rows == [
        " tensorflow | 1 | ≥ 1.25 | - | not run |",
        " jax | 1 | ≥ 1.25 | 0.50, - | open |",
        " torch | 1 | ≥ 1.25 | 1.50, 1.30 | met |",
        " torch | 2 | ≥ 1.25 | 1.50, 1.00 | open |",
    ]
    assert (tmp_path / "speed_training.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_run_that_was_ended_goes_on(goes_on, tmp_path, monkeypatch, capsys):
    # Kept: both processes on torch, one on JAX and one there that failed.
    found = [ran("torch", 1, 2.0, 3.0)] * 2
    found += [ran("jax", 1, 2.0, 3.0), ran("jax", 1, None, None)]
    kept, started = tmp_path / "speed.json", []
    kept.write_text(json.dumps(found))
    monkeypatch.setattr(command, "KEPT", kept)
    monkeypatch.setattr(command, "PICTURES", tmp_path)

    def run(contest, backend, threads, repeats):
        started.append(backend)
        return ran(backend, threads, 2.0, 4.0)

    monkeypatch.setattr(command, "run", run)
    arguments = ["benchmarks", "training", "--backends", "jax", "torch"]
    arguments += ["--threads", "1", *["--missing"] * goes_on]
    monkeypatch.setattr(sys, "argv", arguments)

    command.main()

    assert started == (["jax"] if goes_on else ["jax", "torch"] * 2)
    after = [(one["backend"], one["seconds"]["KerasHub"]) for one in read(kept)]
    if goes_on:
        assert sorted(after) == [("jax", 3), ("jax", 4), ("torch", 3), ("torch", 3)]
    else:
        assert sorted(after) == [("jax", 4), ("jax", 4), ("torch", 4), ("torch", 4)]


def test_a_contest_runs_where_it_has_goals(tmp_path, monkeypatch, capsys):
    started = []
    monkeypatch.setattr(command, "KEPT", tmp_path / "speed.json")
    monkeypatch.setattr(command, "PICTURES", tmp_path)

    def run(contest, backend, threads, repeats):
        started.append((contest, backend, threads, repeats))
        return ran(backend, threads, None, None) | {"contest": contest}

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "on_device", "bfloat16", "--quick"])

    command.main()

    assert started == [
        ("on_device", "jax", 1, 3),
        *(("bfloat16", backend, 1, 3) for backend in BACKENDS),
    ]


def test_a_goal_is_reached_from_1_on_whichever_way_it_is_bounded():
    speed, time = Goal("a", None, at_least=2.0), Goal("b", None, at_most=0.5)

    assert [speed.reached(n) for n in (1.0, 2.0, 4.0)] == [0.5, 1.0, 2.0]
    assert [time.reached(n) for n in (1.0, 0.5, 0.25)] == [0.5, 1.0, 2.0]


def test_nothing_is_drawn_of_what_was_not_run(tmp_path):
    goal = Goal("a", None, at_least=2.0)

    draw_goals("contest", [(goal, "jax", 1, [None])], tmp_path / "none.png")

    assert list(tmp_path.iterdir()) == []
