"""How good answers to questions are, as SQuAD and CMRC 2018 measure them."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from keras_lm.text.check_lists import check_lists

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_CHINESE = re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\U00020000-\U0003ffff]")


class AnswerScore(NamedTuple):
    """What some questions get.

    Args:
        exact_match: float, 0 to 1: share of the answers that are right as a whole.
        f1: float, 0 to 1: mean over the questions of what answer and truth share.
        count: int, the questions.
    """

    exact_match: float
    f1: float
    count: int

    def __str__(self):
        return f"exact match {self.exact_match:.3f}, F1 {self.f1:.3f} of {self.count}"


class QuestionAnsweringReport(NamedTuple):
    """What `question_answering_report` gives.

    Args:
        exact_match: float, 0 to 1.
        f1: float, 0 to 1.
        count: int, all questions.
        with_answer: `AnswerScore` of those that have an answer.
        without_answer: `AnswerScore` of those that have none.
    """

    exact_match: float
    f1: float
    count: int
    with_answer: AnswerScore
    without_answer: AnswerScore

    def __str__(self):
        return (
            f"{AnswerScore(self.exact_match, self.f1, self.count)}; "
            f"with an answer: {self.with_answer}; without: {self.without_answer}"
        )


def question_answering_report(
    answers: Sequence, references: Sequence[Sequence[str]], unit: str = "words"
) -> QuestionAnsweringReport:
    """Exact match and F1 of answers, each against the nearest of its references.

    With "words", as SQuAD: lower case, no ASCII punctuation, no articles; words are
    what white space divides, and `n` of them, counted as often as they are in both, are
    shared. With "characters", as CMRC 2018: lower case, no punctuation; a Chinese
    character is a unit and so is a word between them, and `n` is the length of the
    longest run of units that is in both. Then

        precision = n / units of the answer       recall = n / units of the reference
        F1 = 2 precision recall / (precision + recall)

    Where one of both is empty, F1 is 1 if the other is, else 0; a question without an
    answer has the reference "".

    Differs from CMRC 2018's script, which divides words between Chinese characters by
    NLTK: here white space does it, and is no more than that; and punctuation is all
    that Unicode calls so, and symbols.

    Args:
        answers: for each question str, what has a `text` (`pipelines.Answer`), or
            `None`, no answer.
        references: for each question a list of all answers that are right, str: `[]` or
            `[""]` where there is no answer.
        unit: "words" or "characters".

    Returns:
        `QuestionAnsweringReport`; scores of no question are 0.

    Raises:
        TypeError: an answer or a reference is of another type.
        ValueError: there is no question, not as many answers as references, or `unit`
            is unknown.

    Example:
        >>> found = keras_lm.training.question_answering_report(
        ...     ["The Eiffel Tower!", "Paris"],
        ...     [["eiffel tower"], ["in Paris", "Rome"]])
        >>> found.exact_match, round(found.f1, 3)
        (0.5, 0.833)

    Source: https://arxiv.org/abs/1606.05250, section 6.1;
        https://arxiv.org/abs/1806.03822, section 5.1 (no answer);
        https://arxiv.org/abs/1810.07366, section 3.2 (CMRC 2018).
    """
    if unit not in _UNITS:
        raise ValueError(
            f"`unit` must be one of {list(_UNITS)}. Received: unit={unit!r}"
        )
    check_lists(answers=answers, references=references)
    answers, references = list(answers), list(references)
    if len(answers) != len(references) or not answers:
        raise ValueError(
            "There must be a question, and references for each answer. "
            f"Received: {len(answers)} answers and {len(references)} references"
        )
    units_of, shared = _UNITS[unit]
    scores = {True: [], False: []}
    for row, (answer, right) in enumerate(zip(answers, references, strict=True)):
        found = units_of(_text_of(answer, row))
        right = _references(right, row)
        wanted = [units_of(one) for one in right]
        scores[any(right)].append(
            (
                max(float(found == one) for one in wanted),
                max(_f1(found, one, shared) for one in wanted),
            )
        )
    whole = _mean([*scores[True], *scores[False]])
    return QuestionAnsweringReport(*whole, _mean(scores[True]), _mean(scores[False]))


def _text_of(answer, row):
    text = "" if answer is None else getattr(answer, "text", answer)
    if not isinstance(text, str):
        raise TypeError(
            "An answer must be str, None, or have a `text`. "
            f"Received: {answer!r:.50} of question {row}"
        )
    return text


def _references(right, row):
    is_list = isinstance(right, (list, tuple))
    if not is_list or not all(isinstance(one, str) for one in right):
        raise TypeError(
            "The references of a question must be a list of str. "
            f"Received: {right!r:.50} of question {row}"
        )
    return list(right) or [""]


def _mean(scores):
    count = max(len(scores), 1)
    exact, f1 = (sum(row[n] for row in scores) / count for n in (0, 1))
    return AnswerScore(exact, f1, len(scores))


def _f1(found, wanted, shared: Callable[[list, list], int]) -> float:
    if not found or not wanted:
        return float(found == wanted)
    return 2 * shared(found, wanted) / (len(found) + len(wanted))


def _words(text):
    text = "".join(one for one in text.lower() if one not in string.punctuation)
    return _ARTICLES.sub(" ", text).split()


def _characters(text):
    kept = [one for one in text.lower() if unicodedata.category(one)[0] not in "PS"]
    return _CHINESE.sub(r" \g<0> ", "".join(kept)).split()


def _in_both(found, wanted):
    return sum((Counter(found) & Counter(wanted)).values())


def _longest_run(found, wanted):
    """Units of the longest run that both have."""
    longest, before = 0, [0] * (len(wanted) + 1)
    for one in found:
        runs = [0]
        for place, other in enumerate(wanted):
            runs.append(before[place] + 1 if one == other else 0)
        longest, before = max(longest, *runs), runs
    return longest


_UNITS = {"words": (_words, _in_both), "characters": (_characters, _longest_run)}
