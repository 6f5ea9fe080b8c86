"""The script that the demo and the exporters check exports with."""

import json
import subprocess
import sys

import numpy as np
import pytest

from keras_lm.export import process, run_check
from keras_lm.export.check_exports import _follow
from tests.export.conftest import PROMPTS


def job_of(pipeline, **paths):
    prompts = [
        one if isinstance(one, str) else one.decode("utf-8", "surrogateescape")
        for one in PROMPTS
    ]
    return {
        **{name: str(path) for name, path in paths.items()},
        "prompts": prompts,
        "greedy_texts": pipeline(PROMPTS),
    }


@pytest.mark.once
def test_both_exports_say_what_the_model_says(saved_model, litert, pipeline, tmp_path):
    job = job_of(pipeline, saved_model=saved_model.path, litert=litert.path)
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job))

    done = subprocess.run(
        [sys.executable, "-P", process.DRIVER, process.CHECKER, path],
        capture_output=True,
        check=True,
    )

    answer = json.loads(done.stdout.splitlines()[-1])["keras_lm"]
    assert list(answer) == ["saved_model", "litert"]
    for name, report in (("saved_model", saved_model), ("litert", litert)):
        assert answer[name]["agrees"]
        assert answer[name]["equal"] == [True] * len(PROMPTS)
        assert answer[name]["greedy_texts"] == pipeline(PROMPTS)
        assert answer[name]["size_bytes"] == report.size_bytes
        assert answer[name]["tokens_per_second"] > 0


@pytest.mark.once
def test_a_text_that_differs_is_told(litert, pipeline, tmp_path):
    job = job_of(pipeline, litert=litert.path)
    job["greedy_texts"][1] += "!"

    answer = process.run_checker(job, tmp_path)["litert"]

    assert not answer["agrees"]
    assert answer["equal"] == [True, False, True, True, True]


@pytest.mark.once
def test_a_logit_that_is_no_number_is_seen_wherever_it_stands(tmp_path):
    class Generator:
        def start(self):
            return 0

        def step(self, signature, token_ids, place):  # the second step's are no numbers
            return np.array([0.0, np.nan if place == 1 else 1.0]), place + 1

    np.save(tmp_path / "logits.npy", [[0.0, 1.0]] * 5)
    job = {"token_ids": [[1] * 3, [1] * 5], "prompt_lengths": [1, 2]}
    job["logits_path"] = str(tmp_path / "logits.npy")

    found = _follow(Generator(), job, run_check)

    assert np.isnan(found["largest_difference"])
    assert not found["finite"]
