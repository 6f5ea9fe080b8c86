"""Runs one job in a fresh Python process and reads its answer."""

import json
import os
import subprocess
import sys
from pathlib import Path

from keras_lm.export.export_error import ExportError

DRIVER = Path(__file__).with_name("run_check.py")
CHECKER = Path(__file__).with_name("check_exports.py")  # of text generators


def run_worker(job: dict, work: Path) -> dict:
    """Writes an export: `python -m keras_lm.export.worker`.

    Args:
        job: what `worker` reads.
        work: folder for files between the processes.

    Returns:
        what the worker answers.

    Raises:
        ExportError: the target cannot run the model, or the process died.
        OSError: it could not write.
        ValueError: the model cannot be read there.
    """
    return _run(["-m", "keras_lm.export.worker"], job, work)


def run_checker(job: dict, work: Path, script: Path = CHECKER) -> dict:
    """Runs what was written, with nothing of keras_lm.

    Args:
        job: what the script reads.
        work: folder for files between the processes.
        script: path, the `CHECKER` of a kind.

    Returns:
        what the script answers.

    Raises:
        ExportError: what was written does not run.
    """
    return _run(["-P", str(DRIVER), str(script)], job, work)


def run_script(job: dict, work: Path, script: Path) -> dict:
    """Runs a script of its own, with nothing of keras_lm.

    Args:
        job: what the script reads.
        work: folder for files between the processes.
        script: path.

    Returns:
        what the script answers.

    Raises:
        ExportError: it died, or says that something cannot be exported.
        OSError: it could not write.
    """
    return _run(["-P", str(script)], job, work)


def _run(arguments, job, work):
    path = work / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *arguments, str(path)],
        capture_output=True,
        env=_environment(work),
        check=False,
    )
    answer = _answer(done.stdout)
    if answer is None:
        log = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ExportError(
            "The process that exports must end with an answer. Received: exit code "
            f"{done.returncode}, and: " + " | ".join(log[-5:])
        )
    if "error" in answer:
        raise _error(**answer["error"])
    return answer


def _environment(work):
    return {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TMPDIR": str(work),  # so that nothing stays of a process that is killed
    }


def _answer(output):
    lines = output.decode("utf-8", "replace").splitlines()
    for line in reversed(lines):
        if line.startswith('{"keras_lm"'):
            return json.loads(line)["keras_lm"]
    return None


def _error(kind, message, number=None):
    if kind == "OSError":
        return OSError(number, message)
    return {"ValueError": ValueError}.get(kind, ExportError)(message)
