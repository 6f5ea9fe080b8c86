"""The script that checks exports of a translator, and that it can say no."""

import numpy as np
import pytest

from keras_lm.export import process, run_check
from keras_lm.export.check_text_to_text import _follow
from keras_lm.export.text_to_text_kind import CHECKER, reference

pytestmark = pytest.mark.once


def check(expected, tmp_path, **exports):
    job = {**expected, **{name: str(one.path) for name, one in exports.items()}}
    return process.run_checker(job, tmp_path, CHECKER)


@pytest.mark.slow
def test_it_says_how_far_exports_are(
    translator, translator_saved_model, translator_litert, tmp_path
):
    expected = reference(translator, tmp_path)
    expected["answers"][1] = "another"
    expected["greedy_answers"][2] = "another"
    expected["log_likelihoods"][0] -= 7.0 * expected["num_tokens"][0]
    logits = np.load(expected["logits_path"])
    last = len(expected["target_ids"][3]) - 1
    logits[3, last, logits[3, last].argmin()] -= 0.25
    np.save(expected["logits_path"], logits)

    found = check(
        expected,
        tmp_path,
        saved_model=translator_saved_model,
        litert=translator_litert,
    )

    served, lite = found["saved_model"], found["litert"]
    wrong = [place for place, equal in enumerate(served["equal"]) if not equal]
    assert wrong == [1]
    assert served["finished"] == expected["finished"]
    assert served["largest_difference"] == pytest.approx(7.0, abs=1e-4)
    assert served["size_bytes"] == translator_saved_model.size_bytes
    assert [place for place, equal in enumerate(lite["equal"]) if not equal] == [2]
    assert lite["largest_difference"] == pytest.approx(0.25, abs=1e-3)
    assert lite["greedy_agreement"] == 1  # of tokens, which are shown


def test_a_logit_that_is_no_number_is_seen_wherever_it_stands(tmp_path):
    class Translator:
        def encode(self, source_ids):
            return {}, 0

        def step(self, token_ids, source, place):  # the second step's are no numbers
            return np.array([0.0, np.nan if place == 1 else 1.0]), place + 1

    np.save(tmp_path / "logits.npy", [[[0.0, 1.0]] * 4])
    job = {"source_ids": [[5]], "target_ids": [[1] * 4]}
    job["logits_path"] = str(tmp_path / "logits.npy")

    found = _follow(Translator(), job, run_check)

    assert np.isnan(found["largest_difference"])
    assert not found["finite"]
