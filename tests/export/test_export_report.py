"""ExportReport: what a person reads of it."""

from pathlib import Path

import pytest

from keras_lm.export import ExportReport

pytestmark = pytest.mark.once


def report(agreement, **more):
    path = Path("lm.tflite")
    return ExportReport(path, 81_920, 2e-7, agreement, seconds=9.5, **more)


def test_it_agrees_when_every_token_does():
    assert report(1.0).agrees
    assert not report(0.99).agrees


def test_it_prints_size_difference_agreement_and_time():
    expected = "lm.tflite: 0.1 MB, largest difference 2.0e-07, greedy agreement 99.0%"

    assert str(report(0.99)) == f"{expected}, 9.5 s"


def test_notes_stand_below():
    lines = str(report(1.0, notes=("one thing", "another"))).splitlines()

    assert lines == [str(report(1.0)), "note: one thing", "note: another"]
