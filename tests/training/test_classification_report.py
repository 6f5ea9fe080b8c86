"""classification_report: by hand, as scikit-learn, calibration, errors."""

import sys

import numpy as np
import pytest
from sklearn import metrics

from keras_lm.training import classification_report

pytestmark = pytest.mark.once
NAMES = ["no", "是", "🙂"]


def test_a_case_done_by_hand():
    # Named: no no 是 是 no. The first three are right.
    shares = [[0.9, 0.1, 0], [0.8, 0.2, 0], [0.3, 0.7, 0], [0.4, 0.6, 0], [0.6, 0, 0.4]]

    found = classification_report(["no", "no", "是", "no", "是"], shares, NAMES, 10)

    assert found.accuracy == pytest.approx(3 / 5)
    assert found.confusion.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert found.by_label["no"] == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert found.by_label["是"] == pytest.approx((1 / 2, 1 / 2, 1 / 2, 2))
    assert found.by_label["🙂"] == (0, 0, 0, 0)
    # The third label neither occurs nor was named.
    assert found.macro_f1 == pytest.approx(7 / 12)
    assert found.macro_precision == found.macro_recall == pytest.approx(7 / 12)
    # (tp tn - fp fn) / sqrt(..) = (2 1 - 1 1) / sqrt(3 3 2 2)
    assert found.matthews_correlation == pytest.approx(1 / 6)
    # Bins of 0.9, 0.8 and 0.7, each right: 0.1, 0.2, 0.3; and two of 0.6, both wrong.
    assert found.calibration_error == pytest.approx((0.1 + 0.2 + 0.3 + 2 * 0.6) / 5)


def test_numbers_are_those_of_scikit_learn():
    rng = np.random.default_rng(seed=0)
    shares = rng.dirichlet(np.ones(3), size=200)
    labels = [NAMES[rng.choice(3, p=row)] for row in shares]
    answers = [NAMES[place] for place in shares.argmax(axis=1)]

    found = classification_report(labels, shares, NAMES)

    for name, score in [
        ("macro_f1", metrics.f1_score(labels, answers, average="macro")),
        ("macro_recall", metrics.recall_score(labels, answers, average="macro")),
        ("macro_precision", metrics.precision_score(labels, answers, average="macro")),
        ("matthews_correlation", metrics.matthews_corrcoef(labels, answers)),
        ("accuracy", metrics.accuracy_score(labels, answers)),
    ]:
        assert getattr(found, name) == pytest.approx(score), name
    assert found.confusion.sum(axis=1).tolist() == [labels.count(n) for n in NAMES]
    assert found.confusion.sum(axis=0).tolist() == [answers.count(n) for n in NAMES]


def test_who_is_sure_as_often_as_right_is_calibrated():
    rng = np.random.default_rng(seed=0)
    sure = rng.uniform(0.5, 1.0, size=20_000)
    right = rng.random(20_000) < sure
    labels = np.where(right, "a", "b").tolist()

    honest = classification_report(labels, np.stack([sure, 1 - sure], 1), ["a", "b"])
    boast = np.stack([np.ones(20_000), np.zeros(20_000)], axis=1)
    boasting = classification_report(labels, boast, ["a", "b"])

    assert honest.calibration_error < 0.02
    assert boasting.calibration_error == pytest.approx(1 - right.mean())


# ----------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("labels", "shares", "message"),
    [
        ([], np.zeros((0, 3)), r"must be a text, and .* \(0, 3\). Received: shape \(0"),
        (["no"], [[0.5, 0.5]], r"\(1, 3\). Received: shape \(1, 2\)"),
        (["no"] * 2, [[1, 0, 0]], r"\(2, 3\). Received: shape \(1, 3\)"),
        (["yes"], [[1, 0, 0]], "A label must be one of .*'🙂'.*Received: 'yes'"),
        (["no"] * 2, [[1, 0, 0], [1, 1, 0]], r"row sum to 1.*\[1.0, 1.0, 0.0\] in row"),
        (["no"], [[np.nan, 1, 0]], "at least 0, and each row sum to 1.*nan"),
        (["no"], [[1.5, -0.5, 0]], r"at least 0, and.*\[1.5, -0.5, 0.0\]"),
    ],
)
def test_what_does_not_fit_is_refused(labels, shares, message):
    with pytest.raises(ValueError, match=message):
        classification_report(labels, shares, NAMES)


def test_it_is_printed_as_a_table():
    found = classification_report(
        ["no", "no", "🙂"], [[1, 0, 0], [0, 0, 1], [0, 1, 0]], ["no", "🙂", "other"]
    )

    lines = str(found).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("accuracy 0.667, macro F1 0.556, Matthews")
    assert lines[1].endswith("recall 0.500, F1 0.667; of 2 given 1 no, 1 other")
    assert lines[2].endswith("of 1 given 1 🙂")
    assert lines[3].endswith("of 0 given nothing")


def test_names_that_are_alike_are_refused():
    with pytest.raises(ValueError, match="names, no two alike. Received: .'no', 'no'"):
        classification_report(["no"], [[0.5, 0.5]], ["no", "no"])


@pytest.mark.parametrize("name", ["labels", "label_names"])
def test_what_has_no_order_is_no_list(name):
    for value in (None, "no", {"no"}):
        given = {"labels": ["no"], "label_names": ["no"]} | {name: value}
        with pytest.raises(TypeError, match=f"`{name}` must be a list. Received: "):
            classification_report(probabilities=[[1.0]], **given)


def test_labels_in_place_of_probabilities_are_refused():
    with pytest.raises(TypeError, match="`TextClassifier.probabilities` gives. Rec"):
        classification_report(["no"], ["no"], NAMES)


def test_no_bin_is_refused():
    with pytest.raises(ValueError, match="`num_bins` must be at least 1. Received: 0"):
        classification_report(["no"], [[1, 0, 0]], NAMES, num_bins=0)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"keras-lm\[evaluate\].*without scikit-lear"):
        classification_report(["no"], [[1, 0, 0]], NAMES)
