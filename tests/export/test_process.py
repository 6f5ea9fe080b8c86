"""Jobs in processes of their own: answers, errors, and deaths."""

import os
import signal
import subprocess
import sys
import time

import pytest

from keras_lm.export import ExportError, process
from keras_lm.export.target import remove_leftovers

pytestmark = pytest.mark.once


def answer_of(code, tmp_path):
    return process._run(["-c", code], {"a": 1}, tmp_path)


def test_the_last_line_is_the_answer(tmp_path):
    code = """
import json, sys
print("a library talks")
print(json.dumps({"keras_lm": json.load(open(sys.argv[1]))}))
"""
    assert answer_of(code, tmp_path) == {"a": 1}


@pytest.mark.parametrize(
    ("kind", "error"), [("ValueError", ValueError), ("ExportError", ExportError)]
)
def test_errors_come_back_as_they_were(tmp_path, kind, error):
    answer = {"keras_lm": {"error": {"kind": kind, "message": "our words"}}}
    code = f"import json; print(json.dumps({answer!r}))"

    with pytest.raises(error, match="our words"):
        answer_of(code, tmp_path)


def test_an_os_error_keeps_its_number(tmp_path):
    error = {"kind": "OSError", "message": "full", "number": 28}
    code = f"import json; print(json.dumps({ {'keras_lm': {'error': error}}!r}))"

    with pytest.raises(OSError, match="full") as raised:
        answer_of(code, tmp_path)

    assert raised.value.errno == 28


def test_a_process_that_dies_is_an_export_error(tmp_path):
    code = "import os, sys; print('out of memory', file=sys.stderr); os._exit(9)"

    with pytest.raises(ExportError, match=r"must end with an answer\..*out of memory"):
        answer_of(code, tmp_path)


def test_a_checker_sees_another_backend_than_ours(tmp_path):
    code = """
import json, os
print(json.dumps({"keras_lm": {k: os.environ[k] for k in ("KERAS_BACKEND", "TMPDIR")}}))
"""
    expected = {"KERAS_BACKEND": "tensorflow", "TMPDIR": str(tmp_path)}
    assert answer_of(code, tmp_path) == expected


KILLED = """
import sys
from keras_lm.export import export_saved_model
from tests.export.conftest import make_pipeline
pipeline = make_pipeline()
print("exporting", flush=True)
export_saved_model(pipeline, sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_export_leaves_no_version(tmp_path):
    exporter = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "lm")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    exporter.stdout.readline()
    until = time.monotonic() + 120
    # Until the worker has begun to write the SavedModel.
    while time.monotonic() < until and exporter.poll() is None:
        if list(tmp_path.glob("lm/.incomplete-*/saved_model/*")):
            break
        time.sleep(0.01)
    exporter.send_signal(signal.SIGKILL)
    exporter.wait()
    exporter.stdout.close()

    names = [path.name for path in (tmp_path / "lm").iterdir()]
    assert len(names) == 1
    assert names[0].startswith(".incomplete-")
    until = time.monotonic() + 60
    while list((tmp_path / "lm").iterdir()) and time.monotonic() < until:
        remove_leftovers(tmp_path / "lm")  # the orphaned worker may still write
        time.sleep(0.5)
    assert list((tmp_path / "lm").iterdir()) == []
