"""How often the sense of a word is found, in all and by part of speech."""

from collections.abc import Sequence
from typing import NamedTuple

from keras_lm.text.check_lists import check_lists
from keras_lm.training.classification_report import LabelScore


class SenseReport(NamedTuple):
    """What `sense_report` gives.

    Args:
        precision: float, 0 to 1: share of the answers that are right.
        recall: float, 0 to 1: share of the words whose answer is right.
        f1: float, 0 to 1: harmonic mean of both; where every word has an answer all
            three are one number, the accuracy.
        num_words: int.
        by_part: dict of `LabelScore`, by part of speech, as they come.
    """

    precision: float
    recall: float
    f1: float
    num_words: int
    by_part: dict[str, LabelScore]

    def __str__(self):
        """A table: all words, then each part of speech."""
        told = [
            f"F1 {self.f1:.3f}, precision {self.precision:.3f}, recall "
            f"{self.recall:.3f}, {self.num_words} words"
        ]
        told += [f"{part}: {score} words" for part, score in self.by_part.items()]
        return "\n".join(told)


def sense_report(
    keys: Sequence,
    answers: Sequence[str | None],
    parts: Sequence[str] | None = None,
) -> SenseReport:
    """Precision, recall and F1 of senses, as SemEval's tasks count them.

    An answer is right if it is one of the word's right senses, of which there may be
    several. Over all words, with those that have an answer `answered`,

        precision = right / answered    recall = right / words
        F1 = 2 right / (answered + words)

    Args:
        keys: for each word a set, list or tuple of str, at least one: its right senses.
        answers: for each word a str, or `None` where there is no answer: of what
            `pipelines.WordSense` gives, `[sense and sense.key for sense in found]`.
        parts: for each word its part of speech, or `None`: they are not told apart.

    Returns:
        `SenseReport`.

    Raises:
        TypeError: the right senses of a word are one string, or an answer is neither a
            string nor `None`.
        ValueError: there is no word, there are not as many of each, or a word has no
            right sense.

    Example:
        >>> found = keras_lm.training.sense_report(
        ...     [{"bank%1:17:01::"}, {"bank%1:14:00::"}], ["bank%1:17:01::", None])
        >>> found.precision, found.recall, round(found.f1, 3)
        (1.0, 0.5, 0.667)

    Source: https://aclanthology.org/E17-1010 (F1 of senses).
    """
    check_lists(keys=keys, answers=answers, parts=() if parts is None else parts)
    keys, answers = list(keys), list(answers)
    parts = None if parts is None else list(parts)
    given = [len(keys), len(answers), len(keys) if parts is None else len(parts)]
    if len(set(given)) > 1 or not given[0]:
        raise ValueError(
            "There must be right senses and an answer for each word, and a part of "
            f"speech for each or none at all, and a word. Received: {given[0]} sets of "
            f"senses, {given[1]} answers and {given[2]} parts"
        )
    marks = [
        _mark(right, answer, number)
        for number, (right, answer) in enumerate(zip(keys, answers, strict=True))
    ]
    by_part = {}
    for mark, part in zip(marks, parts or (), strict=parts is not None):
        by_part.setdefault(part, []).append(mark)
    return SenseReport(
        *_score(marks), {part: _score(some) for part, some in by_part.items()}
    )


def _mark(right, answer, number):
    """Whether the answer is right, or `None` without one."""
    if isinstance(right, (str, bytes)):
        raise TypeError(
            "The right senses of a word must be a set, a list or a tuple. "
            f"Received: {right!r:.50} of word {number}"
        )
    if not right:
        raise ValueError(
            "Each word must have a right sense (leave others out). "
            f"Received: none of word {number}"
        )
    if answer is None:
        return None
    if not isinstance(answer, str):
        raise TypeError(
            "An answer must be the key of a sense, or None. "
            f"Received: {answer!r:.50} of word {number}"
        )
    return answer in right


def _score(marks):
    right, answered = marks.count(True), len(marks) - marks.count(None)
    return LabelScore(
        right / max(answered, 1),
        right / len(marks),
        2 * right / (answered + len(marks)),
        len(marks),
    )
