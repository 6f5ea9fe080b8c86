"""multi_label_report: by hand, as scikit-learn, both forms of labels, errors."""

import sys

import numpy as np
import pytest
from sklearn import metrics

from keras_lm.training import multi_label_report

pytestmark = pytest.mark.once
NAMES = ["no", "是", "🙂", "x"]
LABELS = [["no", "是"], [], ["🙂"], ["是"]]
SHARES = [[0.9, 0.4, 0.1, 0], [0.2, 0.5, 0.1, 0], [0.1, 0.1, 0.8, 0], [0, 1, 0.6, 0]]


def test_a_case_done_by_hand():
    # Given: no; 是; 🙂; 是 🙂. Right are no, 🙂 and the second 是; 是 of the first text
    # is missing, and 是 of the second and 🙂 of the fourth are wrong.
    found = multi_label_report(LABELS, SHARES, NAMES)

    assert found.subset_accuracy == 1 / 4
    assert found.hamming_loss == 3 / 16
    assert found.micro_precision == pytest.approx(3 / 5)
    assert found.micro_recall == pytest.approx(3 / 4)
    assert found.micro_f1 == pytest.approx(6 / 9)
    assert found.by_label["no"] == (1, 1, 1, 1)
    assert found.by_label["是"] == (1 / 2, 1 / 2, 1 / 2, 2)
    assert found.by_label["🙂"] == pytest.approx((1 / 2, 1, 2 / 3, 1))
    assert found.by_label["x"] == (0, 0, 0, 0)
    # The last label neither occurs nor was given.
    assert found.macro_precision == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert found.macro_recall == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert found.macro_f1 == pytest.approx((1 + 1 / 2 + 2 / 3) / 3)


def test_numbers_are_those_of_scikit_learn_for_both_forms_of_labels():
    rng = np.random.default_rng(seed=0)
    shares = rng.random((200, 4))
    truth = rng.random((200, 4)) < shares
    names = [[n for n, has in zip(NAMES, row, strict=True) if has] for row in truth]
    answers = shares >= 0.7

    found = multi_label_report(names, shares, NAMES, threshold=0.7)

    for name, measure in [
        ("f1", metrics.f1_score),
        ("recall", metrics.recall_score),
        ("precision", metrics.precision_score),
    ]:
        for kind in ("micro", "macro"):
            expected = measure(truth, answers, average=kind)
            assert getattr(found, f"{kind}_{name}") == pytest.approx(expected)
    assert found.subset_accuracy == metrics.accuracy_score(truth, answers)
    assert found.hamming_loss == metrics.hamming_loss(truth, answers)
    for same in (truth, truth.astype("float32"), truth.astype(int).tolist()):
        assert multi_label_report(same, shares, NAMES, threshold=0.7) == found


def test_a_threshold_is_reached_by_itself_and_one_label_is_enough():
    shares = [[0.25], [0.2], [0.2], [0.2]]

    found = multi_label_report([["a"], [], ["a"], []], shares, ["a"], threshold=0.25)

    assert found[:5] == pytest.approx((3 / 4, 1 / 4, 1, 1 / 2, 2 / 3))
    assert found.by_label["a"] == found[5:8] + (2,) == found[2:5] + (2,)


def test_nothing_given_and_nothing_there_is_no_warning():
    found = multi_label_report([[], []], np.zeros((2, 4)), NAMES)

    assert found[:-1] == (1, *[0] * 7)


def test_it_is_printed_as_a_table():
    lines = str(multi_label_report(LABELS, SHARES, NAMES)).splitlines()

    assert lines[0] == (
        "all labels right 0.250, micro F1 0.667, macro F1 0.722, Hamming loss 0.188"
    )
    assert lines[3] == "🙂: precision 0.500, recall 1.000, F1 0.667; of 1"
    assert len(lines) == 5


# ----------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("labels", "shares", "message"),
    [
        ([], np.zeros((0, 4)), r"must be a text, and .* \(0, 4\). Received: shape \(0"),
        ([["no"]], [[0.5, 0.5]], r"\(1, 4\). Received: shape \(1, 2\)"),
        ([["no"]] * 2, [[1, 0, 0, 0]], r"\(2, 4\). Received: shape \(1, 4\)"),
        ([[], ["yes"]], np.zeros((2, 4)), "some of .*'🙂'.*Received: 'yes' of text 1"),
        ([[0, 1]], np.zeros((1, 4)), "or 0 or 1 for each. Received: 0 of text 0"),
        ([[0, 2, 1, 0]], np.zeros((1, 4)), "or 0 or 1 for each. Received: 0 of tex"),
        ([[]] * 2, [[0] * 4, [0, -2, 0, 0]], r"from 0 to 1. Received: .*-2.* in row 1"),
        ([[]], [[0, np.nan, 0, 0]], "must be from 0 to 1. Received: .*nan.* in row 0"),
    ],
)
def test_what_does_not_fit_is_refused(labels, shares, message):
    with pytest.raises(ValueError, match=message):
        multi_label_report(labels, shares, NAMES)


@pytest.mark.parametrize("threshold", [-0.1, 1.5, np.nan])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match="`threshold` must be from 0 to 1. Received"):
        multi_label_report(LABELS, SHARES, NAMES, threshold)


@pytest.mark.parametrize("label", ["no", 0])
def test_one_label_is_no_list(label):
    with pytest.raises(TypeError, match=f"be a list. Received: {label!r} of text 0"):
        multi_label_report([label], [[1, 0, 0, 0]], NAMES)


def test_names_that_are_alike_are_refused():
    with pytest.raises(ValueError, match="names, no two alike. Received: .'no', 'no'"):
        multi_label_report([["no"]], [[0.5, 0.5]], ["no", "no"])


@pytest.mark.parametrize("name", ["labels", "label_names"])
def test_what_has_no_order_is_no_list(name):
    for value in (None, "no", {"no"}):
        given = {"labels": [["no"]], "label_names": ["no"]} | {name: value}
        with pytest.raises(TypeError, match=f"`{name}` must be a list. Received: "):
            multi_label_report(probabilities=[[1.0]], **given)


def test_labels_in_place_of_probabilities_are_refused():
    with pytest.raises(TypeError, match="`TextClassifier.probabilities` gives. Rec"):
        multi_label_report([["no"]], [["no"]], NAMES)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"keras-lm\[evaluate\].*without scikit-lear"):
        multi_label_report([[]], [[1, 0, 0, 0]], NAMES)
