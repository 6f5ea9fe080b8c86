"""Targets are complete or absent, also when the process is killed."""

import errno
import os
import subprocess
import sys

import pytest

from keras_lm.export.target import (
    next_version,
    place_files,
    place_version,
    remove_leftovers,
    workshop,
)

# A version's two files must be there together, and whole.
SIZE = 200_000
KILLER = f"""
import os, random, signal, sys, time
from pathlib import Path
from keras_lm.export.target import place_version, workshop

def write(folder):
    with workshop(folder) as work:
        finished = work / "finished"
        finished.mkdir()
        for name in ("graph", "numbers"):
            (finished / name).write_bytes(os.urandom({SIZE}))
        place_version(finished, folder, None)

def write_on(folder):
    while True:
        write(folder)

folder, rng = Path(sys.argv[1]), random.Random(0)
began = time.perf_counter()
write(folder / "elsewhere")
patience = 5 * (time.perf_counter() - began)
for _ in range(25):
    writer = os.fork() or write_on(folder / "here")
    time.sleep(rng.uniform(0.0, patience))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    if not any(path.name.isdecimal() for path in folder.glob("here/*")):
        patience *= 2  # others need the processor: none was finished yet
"""

pytestmark = pytest.mark.once


def versions(folder):
    return sorted(path for path in folder.iterdir() if path.name.isdecimal())


def test_a_killed_process_leaves_whole_versions_only(tmp_path):
    subprocess.run(
        [sys.executable, "-c", KILLER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )

    assert versions(tmp_path / "here")
    for version in versions(tmp_path / "here"):
        sizes = {path.name: path.stat().st_size for path in version.iterdir()}
        assert sizes == {"graph": SIZE, "numbers": SIZE}
    with workshop(tmp_path / "here"):
        pass
    assert list((tmp_path / "here").glob(".*")) == []


def test_work_is_hidden_and_removed(tmp_path):
    with workshop(tmp_path / "lm") as work:
        assert work.parent == tmp_path / "lm"
        assert work.name.startswith(f".incomplete-{os.getpid()}-")
        (work / "file").write_text("half")

    assert list(tmp_path.iterdir()) == []


def test_the_next_export_removes_what_a_dead_process_left(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f".incomplete-{dead.pid}-x"
    left.mkdir()
    (left / "file").write_text("half")

    with workshop(tmp_path):
        assert not left.exists()


def test_another_living_process_keeps_its_work(tmp_path):
    with workshop(tmp_path) as work:
        remove_leftovers(tmp_path)

        assert work.is_dir()


def test_what_fails_leaves_nothing(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        workshop(tmp_path / "a" / "lm") as work,
    ):
        (work / "file").write_text("half")
        _ = 1 / 0

    assert list((tmp_path / "a").glob("*")) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Can't write data (errno = 28, error message = 'No space left')"),
    ],
)
def test_a_full_disk_is_an_os_error_in_our_words(tmp_path, error):
    with pytest.raises(OSError, match="The export must be able to write") as raised:
        with workshop(tmp_path):
            raise error

    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(tmp_path)


def test_versions_are_counted_by_number(tmp_path):
    assert next_version(tmp_path / "none") == 1
    for name in ("2", "10", ".incomplete-1-x", "9old", "notes"):
        (tmp_path / name).mkdir()

    assert next_version(tmp_path) == 11


def test_two_exports_take_two_versions(tmp_path):
    for expected in ("1", "2"):
        finished = tmp_path / "finished"
        finished.mkdir()
        (finished / "file").write_text(expected)

        target = place_version(finished, tmp_path, None)

        assert (target.name, (target / "file").read_text()) == (expected, expected)


def test_a_version_that_appeared_meanwhile_is_not_replaced(tmp_path):
    (tmp_path / "3").mkdir()
    (tmp_path / "finished").mkdir()

    with pytest.raises(FileExistsError, match="`version` must be one that does not"):
        place_version(tmp_path / "finished", tmp_path, 3)


def test_files_move_and_the_last_counts(tmp_path, monkeypatch):
    moved = []
    replace = os.replace

    def watched(source, target):
        assert not (tmp_path / "lm.tflite").exists()  # nothing old beside what is new
        moved.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    (tmp_path / "finished").mkdir()
    for name in ("a.json", "lm.tflite", "z.model"):
        (tmp_path / name).write_text("old")
        (tmp_path / "finished" / name).write_text("new")

    place_files(tmp_path / "finished", tmp_path, last="lm.tflite")

    assert moved == ["a.json", "z.model", "lm.tflite"]
    assert (tmp_path / "lm.tflite").read_text() == "new"
