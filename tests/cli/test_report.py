"""Report: the table at the end of the demo."""

import io
import time

from rich.console import Console

from keras_lm.cli.report import Report


def printed(report):
    console = Console(file=io.StringIO(), width=100)
    console.print(report.table("a title"))
    return console.file.getvalue()


def test_a_row_shows_what_was_made_how_large_it_is_and_whether_it_agrees(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "a").write_bytes(bytes(1_200_000))
    (folder / "b").write_bytes(bytes(300_000))
    report = Report(time.perf_counter())

    report.add("saved_model", "97 tokens/s", folder, agrees=True)
    report.add("litert", "89 tokens/s", folder / "b", agrees=False)
    report.finish()

    table = printed(report)
    assert "1.5 MB" in table
    assert "0.3 MB" in table
    assert "agrees" in table
    assert "DIFFERS" in table
    assert "minutes" in table
    assert not report.agrees


def test_one_export_that_differs_is_not_outvoted():
    report = Report(time.perf_counter())
    report.add("saved_model", "", agrees=False)
    report.add("litert", "", agrees=True)
    assert not report.agrees


def test_the_newest_rows_as_lines():
    report = Report(time.perf_counter())
    for number in range(3):
        report.add(f"row {number}", "told")
    assert report.last(2) == "row 1: told\nrow 2: told"
