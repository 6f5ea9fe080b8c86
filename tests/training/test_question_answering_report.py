"""question_answering_report: SQuAD's and CMRC's rules by hand, no answer, errors."""

from types import SimpleNamespace

import pytest

from keras_lm.training import question_answering_report

pytestmark = pytest.mark.once


def scores(answer, *references, unit="words"):
    report = question_answering_report([answer], [list(references)], unit)
    return report.exact_match, pytest.approx(report.f1)


@pytest.mark.parametrize(
    ("answer", "references", "expected"),
    [
        ("The  Panthers!", ["panthers"], (1, 1)),
        ("a an the", [""], (1, 1)),  # nothing is left of either
        ("theatre", ["atre"], (0, 0)),  # articles are whole words
        ("U.S.", ["us"], (1, 1)),
        # 2 words of 3 and of 4 are shared: "in" twice counts twice.
        ("in in Rome", ["in 1990 in Paris"], (0, 2 * 2 / (3 + 4))),
        ("in Rome", ["in in Rome"], (0, 2 * 2 / (2 + 3))),
        ("Rome", ["Paris", "Rome Italy", "Milan"], (0, 2 / 3)),
        ("Rome", ["Paris", "rome."], (1, 1)),
        ("中文 é", ["中文 É"], (1, 1)),
        ("中文", ["中"], (0, 0)),  # a word is what white space divides
        ("“Rome”", ["Rome"], (0, 0)),  # SQuAD knows ASCII's punctuation only
        ("🙂", ["🙂"], (1, 1)),
    ],
)
def test_words_by_hand(answer, references, expected):
    assert scores(answer, *references) == expected


@pytest.mark.parametrize(
    ("answer", "references", "expected"),
    [
        ("《红楼梦》", ["红楼梦。"], (1, 1)),
        ("红楼", ["红楼梦"], (0, 2 * 2 / (2 + 3))),
        # The longest run that both have: 楼梦, of 4 and of 3.
        ("红，的楼梦", ["红楼梦"], (0, 2 * 2 / (4 + 3))),
        ("梦楼红", ["红楼梦"], (0, 2 * 1 / (3 + 3))),  # the order counts
        ("1990年", ["1990 年"], (1, 1)),
        ("2000年", ["1990年"], (0, 2 * 1 / (2 + 2))),
        ("the BBC台", ["the bbc台"], (1, 1)),  # articles are kept
        ("the台", ["台"], (0, 2 * 1 / (2 + 1))),
        ("𠀀𠀁", ["𠀁"], (0, 2 * 1 / (2 + 1))),
    ],
)
def test_characters_by_hand(answer, references, expected):
    assert scores(answer, *references, unit="characters") == expected


def test_no_answer_is_right_where_there_is_none():
    report = question_answering_report(
        [None, "", "x", None, SimpleNamespace(text="a b c")],
        [[], [], [], ["x"], ["b d", "q"]],
    )

    assert report.without_answer == (2 / 3, 2 / 3, 3)
    assert report.with_answer == (0.0, 0.25, 2)  # "b c": 1 of 2 and of 2, and 0
    assert (report.exact_match, report.count) == (0.4, 5)
    assert report.f1 == pytest.approx((2 + 0.5) / 5)
    assert "exact match 0.400, F1 0.500 of 5; with an answer: exact match 0.000" in str(
        report
    )
    assert question_answering_report(["x"], [["x"]]).without_answer == (0, 0, 0)


def test_an_empty_reference_is_no_answer():
    report = question_answering_report(["", "x", ""], [[""], ("",), ["", "y"]])

    assert report.without_answer == (0.5, 0.5, 2)
    assert report.with_answer == (1.0, 1.0, 1)  # one of its references is an answer


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["a"], []), ValueError, "references for each answer. Received: 1 answers a"),
        (([], []), ValueError, "There must be a question, and references"),
        ((["a"], [["a"]], "tokens"), ValueError, "`unit` must be one of"),
        (("a", ["a"]), TypeError, "`answers` must be a list. Received: 'a'"),
        (([3], [["a"]]), TypeError, "An answer must be str, None, or have a `text`"),
        ((["a"], ["a"]), TypeError, "must be a list of str. Received: 'a' of question"),
        ((["a"], [[None]]), TypeError, "must be a list of str"),
        ((["a"], [None]), TypeError, "must be a list of str. Received: None of quest"),
        ((["a"], [{"text": ["a"]}]), TypeError, "must be a list of str. Received: {"),
        ((["a"], [b"a"]), TypeError, "must be a list of str. Received: b'a' of"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        question_answering_report(*arguments)
