"""The script that the demo and the exporters check exports with."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lm.export import process, run_check
from keras_lm.export.check_exports import LiteRTGenerator, _follow
from keras_lm.text import unicode
from keras_lm.text.chat_turns import chat_prompt, encode_conversations
from tests.export.conftest import PROMPTS
from tests.export.test_graph_chat import as_bytes
from tests.text.samples import TALKER
from tests.text.test_chat_turns import CONVERSATIONS


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


@pytest.mark.once
@settings(max_examples=40)
@given(CONVERSATIONS, st.integers(0, 30))
def test_a_chat_is_laid_out_as_the_pipeline_does_it(conversation, room):
    generator = LiteRTGenerator.__new__(LiteRTGenerator)  # without its files
    generator.pieces = TALKER._processor
    generator.about = {
        "tokenizer": {"separator_id": TALKER.separator_id, "escapes": unicode.ESCAPES},
        "role_ids": TALKER.role_ids,
        "max_sequence_length": room + 5,
        "max_new_tokens": 3,
    }
    (encoded,) = encode_conversations(TALKER, [conversation])
    said = [(turn["role"], as_bytes(turn["content"])) for turn in conversation]
    try:
        expected = chat_prompt(TALKER, encoded, room + 2)
    except ValueError:
        with pytest.raises(ValueError, match=f"other one must have at most {room} tok"):
            generator.prompt_of_turns(said)
        return

    assert generator.prompt_of_turns(said) == expected
