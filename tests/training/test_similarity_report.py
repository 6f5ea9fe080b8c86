"""similarity_report: by hand, level pairs, what order alone says, errors."""

import sys

import numpy as np
import pytest
from scipy import stats

from keras_lm.training import similarity_report

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    # Ranks 1 2 3 4 and 1 2.5 2.5 4: deviations -1.5 -0.5 0.5 1.5 and -1.5 0 0 1.5.
    # Numbers: -3 -1 1 3 (halved) of the means 3.5, and -1.5 -0.5 -0.5 2.5 of 2.5.
    found = similarity_report([2, 3, 4, 5], [1, 2, 2, 5])

    assert found.spearman == pytest.approx(4.5 / np.sqrt(5 * 4.5))
    assert found.pearson == pytest.approx(
        (1.5 * 1.5 + 0.5 * 0.5 - 0.5 * 0.5 + 1.5 * 2.5) / np.sqrt(5 * 9)
    )
    assert str(found) == "Spearman 0.9487, Pearson 0.8944, 4 pairs"


def test_numbers_are_those_of_scipy():
    rng = np.random.default_rng(seed=0)
    judged = rng.integers(0, 6, size=200) / 5
    found = (judged + rng.normal(size=200)).astype("float32")

    report = similarity_report(judged.tolist(), found)

    assert report.spearman == pytest.approx(stats.spearmanr(found, judged)[0])
    assert report.pearson == pytest.approx(stats.pearsonr(found, judged)[0], abs=1e-6)
    assert report.num_pairs == 200


def test_for_spearman_the_order_is_all_that_counts():
    judged = np.linspace(0, 5, 9)

    for found, sign in [(np.exp(judged), 1), (-(judged**3), -1)]:
        report = similarity_report(judged, found)
        assert report.spearman == pytest.approx(sign)
        assert abs(report.pearson) < 0.95


# ----------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("judgements", "similarities", "message"),
    [
        ([1, 2, 3], [1, 2], "for each judgement. Received: 3 judgements and 2 sim"),
        ([], [], r"`judgements` must be finite numbers, .*Received: array\(\[\]"),
        ([1], [1], r"`judgements` must .* not all alike. Received: array\(\[1\]"),
        ([1, 2], [3, 3], r"`similarities` must .* not all alike. Received: .*3, 3"),
        ([1, 2], [3, np.nan], "`similarities` must be finite numbers.*nan"),
        ([1, 2], [[3, 4]], "`similarities` must be finite numbers, one for each"),
        (["是", "🙂"], [3, 4], "`judgements` must be finite numbers.*'是'"),
    ],
)
def test_what_does_not_fit_is_refused(judgements, similarities, message):
    with pytest.raises(ValueError, match=message):
        similarity_report(judgements, similarities)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"keras-lm\[evaluate\].*without scipy"):
        similarity_report([1, 2], [1, 2])
