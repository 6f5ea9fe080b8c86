"""benchmarks: what of each goal is shown, in a table and in a picture."""

import json
import sys

import pytest

import benchmarks.__main__ as command
from benchmarks.speed.draw_goals import draw_goals
from benchmarks.speed.goal import Goal

pytestmark = pytest.mark.once


def ran(backend, threads, ours, rival):
    seconds = {} if ours is None else {"keras_lm": ours, "KerasHub": rival}
    told = {"contest": "training", "backend": backend, "threads": threads}
    return told | {"took": 1.0, "seconds": seconds}


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


def test_a_goal_is_reached_from_1_on_whichever_way_it_is_bounded():
    speed, time = Goal("a", None, at_least=2.0), Goal("b", None, at_most=0.5)

    assert [speed.reached(n) for n in (1.0, 2.0, 4.0)] == [0.5, 1.0, 2.0]
    assert [time.reached(n) for n in (1.0, 0.5, 0.25)] == [0.5, 1.0, 2.0]


def test_nothing_is_drawn_of_what_was_not_run(tmp_path):
    goal = Goal("a", None, at_least=2.0)

    draw_goals("contest", [(goal, "jax", 1, [None])], tmp_path / "none.png")

    assert list(tmp_path.iterdir()) == []
