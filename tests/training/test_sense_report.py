"""sense_report: by hand, words without an answer, errors."""

import pytest

from keras_lm.training import sense_report

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    keys = [{"a", "b"}, ["是"], ("a",), {"🙂"}, {"x"}]

    found = sense_report(keys, ["b", "是", "b", None, None], ["n", "v", "n", "n", "r"])

    # Two of the three answers are right, of five words.
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 5)
    assert found.f1 == pytest.approx(4 / 8)
    assert found.num_words == 5
    assert list(found.by_part) == ["n", "v", "r"]
    assert found.by_part["n"] == pytest.approx((1 / 2, 1 / 3, 2 / 5, 3))
    assert found.by_part["v"] == (1, 1, 1, 1)
    assert found.by_part["r"] == (0, 0, 0, 1)
    lines = str(found).splitlines()
    assert lines[0] == "F1 0.500, precision 0.667, recall 0.400, 5 words"
    assert lines[1] == "n: precision 0.500, recall 0.333, F1 0.400; of 3 words"
    assert len(lines) == 4


def test_with_all_answered_it_is_the_accuracy():
    found = sense_report([{"a"}, {"b"}, {"c"}, {"d"}], ["a", "b", "c", ""])

    assert found[:3] == (3 / 4, 3 / 4, 3 / 4)
    assert found.by_part == {}


def test_no_answer_at_all_is_0():
    assert sense_report([{"a"}, {"b"}], [None, None])[:3] == (0, 0, 0)


# ----------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("keys", "answers", "parts", "error", "message"),
    [
        ([], [], None, ValueError, "and a word. Received: 0 sets of senses, 0 answers"),
        (
            [{"a"}],
            ["a", "b"],
            None,
            ValueError,
            "Received: 1 sets of senses, 2 answers",
        ),
        ([{"a"}], ["a"], [], ValueError, "1 answers and 0 parts"),
        ([{"a"}, set()], ["a"] * 2, None, ValueError, "Received: none of word 1"),
        ("ab", ["a"], None, TypeError, "`keys` must be a list. Received: 'ab'"),
        ([{"a"}], ["a"], "n", TypeError, "`parts` must be a list. Received: 'n'"),
        (["ab"], ["a"], None, TypeError, "or a tuple. Received: 'ab' of word 0"),
        ([{"a"}], [("a",)], None, TypeError, r"or None. Received: \('a',\) of word 0"),
    ],
)
def test_what_does_not_fit_is_refused(keys, answers, parts, error, message):
    with pytest.raises(error, match=message):
        sense_report(keys, answers, parts)
