"""A process that a server forks is what a fresh one would be."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.warm_python import PYTHON, connected, kind_of

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux"),
]

SCRIPT = """
import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), os.environ["GIVEN"], __name__, sys.path[0]]))
print("told", file=sys.stderr)
print("tensorflow" in sys.modules, file=sys.stderr)
assert len(sys.argv) > 1, "no argument"
sys.exit(int(sys.argv[1]))
"""


def run(folder, *arguments, **environment):
    (folder / "tutorials").mkdir(exist_ok=True)
    script = folder / "tutorials" / "script.py"
    script.write_text(SCRIPT)
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=folder,
        env={**os.environ, "GIVEN": "猫", "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("code", ["3", "0"])
def test_it_is_given_all_and_gives_all(tmp_path, code):
    done = run(tmp_path, code, "多 words")
    cold = run(tmp_path, code, "多 words", KERAS_LM_COLD="1")

    assert done.returncode == cold.returncode == int(code)
    assert done.stdout == cold.stdout
    assert "多 words" in done.stdout.encode().decode("unicode_escape")
    assert done.stderr.splitlines() == ["told", "True"]  # it was warm
    assert cold.stderr.splitlines() == ["told", "False"]


def test_what_is_raised_is_told(tmp_path):
    done = run(tmp_path)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "AssertionError: no argument"


def test_one_does_not_see_what_another_left(tmp_path):
    folder = tmp_path / "tutorials"
    folder.mkdir()
    script = folder / "leave.py"
    script.write_text("import sys; print(hasattr(sys, 'left')); sys.left = 1")
    for _ in range(2):
        told = subprocess.check_output([sys.executable, script], text=True)
        assert told == "False\n"


def test_it_ends_with_the_one_that_waits_for_it(tmp_path):
    folder = tmp_path / "tutorials"
    folder.mkdir()
    script = folder / "sleep.py"
    script.write_text("import os, time; print(os.getpid(), flush=True); time.sleep(99)")
    command = [sys.executable, script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        place = Path("/proc", waiting.stdout.readline().strip())
        assert place.exists()
        waiting.kill()
    until = time.monotonic() + 10
    while place.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not place.exists()


def test_its_temporary_files_are_where_it_was_told(tmp_path):
    (tmp_path / "tutorials").mkdir()
    script = tmp_path / "tutorials" / "temporary.py"
    script.write_text("import tempfile; print(tempfile.mkdtemp())")
    for name in ("one", "two"):  # the first one starts the server, perhaps
        folder = tmp_path / name
        folder.mkdir()
        told = subprocess.check_output(
            [sys.executable, script], env={**os.environ, "TMPDIR": folder}, text=True
        )
        assert Path(told.strip()).parent == folder
        folder.joinpath(*Path(told.strip()).parts[-1:]).rmdir()
        folder.rmdir()


@pytest.mark.slow
def test_a_server_has_no_threads_to_lose_where_none_was_forbidden(
    tmp_path, monkeypatch
):
    for name in [name for name in os.environ if name.endswith("_THREADS")]:
        monkeypatch.delenv(name)

    with connected(PYTHON, tmp_path, "bare", os.getpid()) as server:
        assert server.fileno() > 0


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["-m", "keras_lm.export.worker", "job"], "tensorflow"),
        (["-P", "/a/keras_lm/export/run_check.py", "check", "job"], "bare"),
        (["/a/tutorials/01.py"], "tensorflow"),
        (["-c", "import keras_lm"], None),
        (["-m", "keras_lm.cli", "demo"], None),
    ],
)
def test_what_is_warm(arguments, kind):
    assert kind_of(arguments, {"KERAS_BACKEND": "tensorflow"}) == kind


def test_a_backend_that_must_not_fork_is_cold():
    assert kind_of(["/a/tutorials/01.py"], {"KERAS_BACKEND": "jax"}) is None
