"""span_report: by hand, what is ignored, nothing found, errors."""

import sys

import pytest

from keras_lm.training import span_report

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    labels = [["B-X", "I-X", "O", "B-人-1"], ["B-X", "B-X", "O", "B-V"], ["O"], []]
    answers = [["B-X", "I-X", "O", "B-X"], ["B-X", "I-X", "O", "B-V"], ["O"], []]

    found = span_report(labels, answers)

    # Right: X 0-2 and V, of 4 found and 5 there; "人-1" was called X.
    assert (found.precision, found.recall) == (2 / 4, 2 / 5)
    assert found.f1 == pytest.approx(4 / 9)
    assert found.exact == 2 / 4
    assert list(found.by_label) == ["V", "X", "人-1"]
    assert found.by_label["X"] == (1 / 3, 1 / 3, pytest.approx(1 / 3), 3)
    assert found.by_label["人-1"] == (0, 0, 0, 1)
    assert found.mistaken == {("人-1", "X"): 1}
    lines = str(found).splitlines()
    assert lines[0].startswith("F1 0.444, precision 0.500, recall 0.400, sentences al")
    assert lines[1].endswith("F1 1.000; of 1 taken for no other")
    assert lines[3].endswith("of 1 taken for 1 X")


def test_what_is_ignored_counts_in_neither():
    labels, answers = [["B-X", "B-V", "I-V"]], [["B-X", "O", "B-V"]]

    assert span_report(labels, answers, ignore=["V"]).f1 == 1
    assert span_report(labels, answers, ignore=["V"]).exact == 1
    assert span_report(labels, answers).f1 == pytest.approx(1 / 2)


def test_nothing_found_is_nothing_and_no_warning():
    for labels, answers in [(["B-X"], ["O"]), (["O"], ["B-X"]), (["O"], ["O"])]:
        found = span_report([labels], [answers])
        assert (found.precision, found.recall, found.f1) == (0, 0, 0)
        assert found.exact == (labels == answers)


def test_more_frequent_mistakes_come_first():
    labels = [["B-A", "B-B", "B-B", "I-B"]]

    found = span_report(labels * 3, [["B-B", "B-A", "B-C", "I-C"], *[["B-A"] * 4] * 2])

    assert list(found.mistaken.items())[0] == (("B", "A"), 3)


# ----------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("labels", "answers", "message"),
    [
        ([], [], "and a sentence. Received: 0 sentences and 0 answers"),
        ([["O"]], [], "an answer for each sentence.*Received: 1 sentences and 0"),
        ([["O"], ["O"]], [["O"], []], "Received: 1 words and 0 labels in sentence 1"),
        ([["NN"]], [["O"]], "the name of a span. Received: 'NN' in sentence 0"),
        ([["O"]], [["B"]], "the name of a span. Received: 'B' in sentence 0"),
        ([["B-"]], [["B-X"]], "the name of a span. Received: 'B-' in sentence 0"),
        ([["O"]], [["I-"]], "the name of a span. Received: 'I-' in sentence 0"),
        ([["O"]], [[None]], "the name of a span. Received: None in sentence 0"),
        ([["O"]], [[""]], "the name of a span. Received: '' in sentence 0"),
    ],
)
def test_what_does_not_fit_is_refused(labels, answers, message):
    with pytest.raises(ValueError, match=message):
        span_report(labels, answers)


@pytest.mark.parametrize("ignore", ["PER", "", b"PER"])
def test_labels_to_ignore_that_are_no_list_are_refused(ignore):
    with pytest.raises(TypeError, match="must be a list of labels. Received: b?'"):
        span_report([["B-P"]], [["B-P"]], ignore=ignore)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "seqeval.metrics", None)
    with pytest.raises(ImportError, match=r"keras-lm\[evaluate\].*without seqeval"):
        span_report([["O"]], [["O"]])


def test_lists_may_be_read_once_only():
    rows = [["B-X", "O"]]

    assert span_report(iter(rows), iter(rows)) == span_report(rows, rows)
    with pytest.raises(TypeError, match="`answers` must be a list. Received: None"):
        span_report(rows, None)
