"""The worker's answer to jobs it cannot do."""

import json
import sys

import pytest

from keras_lm.export import process, worker

pytestmark = pytest.mark.once


def answer_of(job, tmp_path, capsys, monkeypatch):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job))
    monkeypatch.setattr(sys, "argv", ["worker", str(path)])
    worker.main()
    return process._answer(capsys.readouterr().out.encode())


def test_no_pipeline_is_an_os_error(tmp_path, capsys, monkeypatch):
    job = {"modules": [], "pipeline": str(tmp_path)}

    error = answer_of(job, tmp_path, capsys, monkeypatch)["error"]

    assert error["kind"] == "OSError"
    assert "must hold `pipeline.json`" in error["message"]


def test_another_error_comes_with_its_name(tmp_path, capsys, monkeypatch):
    job = {"modules": ["no_such_module"], "pipeline": str(tmp_path)}

    error = answer_of(job, tmp_path, capsys, monkeypatch)["error"]

    assert error["kind"] == "ExportError"
    assert "ModuleNotFoundError" in error["message"]
