"""The script that checks exports of a stream classifier, and that it can say no."""

import pytest

from keras_lm.export import process
from keras_lm.export.stream_classifier_kind import CHECKER, reference

pytestmark = pytest.mark.once


def check(expected, litert, tmp_path):
    job = {**expected, "litert": str(litert.path)}
    return process.run_checker(job, tmp_path, CHECKER)["litert"]


@pytest.mark.slow
def test_it_says_how_far_an_export_is(classifier, classifier_litert, tmp_path):
    expected = reference(classifier, tmp_path)
    first, second = expected["logits"][0], expected["logits"][1]
    best = max(range(4), key=first.__getitem__)
    first[best] -= 7.0  # now another label is the model's
    second[best] += 0.25

    answer = check(expected, classifier_litert, tmp_path)

    assert not answer["agrees"]
    assert not answer["equal"][0]
    assert answer["largest_difference"] == pytest.approx(7.0, abs=1e-4)
    assert answer["greedy_agreement"] < 1
    assert answer["size_bytes"] == classifier_litert.size_bytes
    assert len(answer["named"]) == len(expected["logits"])
