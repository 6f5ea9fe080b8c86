"""How good a tagger is: whole spans, not single words."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from keras_lm.text.bio_labels import OUTSIDE
from keras_lm.text.bio_spans import parse_label, word_spans
from keras_lm.text.check_lists import check_lists
from keras_lm.training.classification_report import LabelScore, label_scores


class SpanReport(NamedTuple):
    """What `span_report` gives.

    Args:
        precision: float, 0 to 1: share of the spans found that are right.
        recall: float, 0 to 1: share of the right spans that were found.
        f1: float, 0 to 1: harmonic mean of both.
        exact: float, 0 to 1: share of the sentences with all spans right and no other.
        by_label: dict of `LabelScore`, by label.
        mistaken: dict by `(label, given)`: how many spans of the one label were given
            the other, their borders right.
    """

    precision: float
    recall: float
    f1: float
    exact: float
    by_label: dict[str, LabelScore]
    mistaken: dict[tuple[str, str], int]

    def __str__(self):
        """A table: all spans, then each label with what its spans were called."""
        told = [
            f"F1 {self.f1:.3f}, precision {self.precision:.3f}, recall "
            f"{self.recall:.3f}, sentences all right {self.exact:.3f}"
        ]
        for name, score in self.by_label.items():
            taken = [
                f"{count} {given}"
                for (label, given), count in self.mistaken.items()
                if label == name
            ]
            told.append(f"{name}: {score} taken for {', '.join(taken) or 'no other'}")
        return "\n".join(told)


def span_report(
    labels: Sequence[Sequence[str]],
    answers: Sequence[Sequence[str]],
    ignore: Sequence[str] = (),
) -> SpanReport:
    """Precision, recall and F1 of spans, as CoNLL's script counts them.

    A span is right where both its borders and its label are. Over all spans of all
    sentences,

        precision = right / found    recall = right / there    F1 = 2 right / (both)

    They are seqeval's; what is beside, the sentences that are all right and the labels
    that were taken for one another, is counted here.

    Args:
        labels: for each sentence the BIO labels of its words, as they should be.
        answers: the same, as `pipelines.TokenTagger.tags` gives them.
        ignore: labels of spans that do not count in either, without "B-": the given
            predicate, say.

    Returns:
        `SpanReport`.

    Raises:
        ImportError: seqeval is not installed (the extra `evaluate`).
        TypeError: `ignore` is one string.
        ValueError: there is no sentence, lengths differ, or a label is not BIO.

    Example:
        >>> found = keras_lm.training.span_report(
        ...     [["B-X", "I-X", "O"], ["B-Y"]], [["B-X", "I-X", "B-X"], ["B-X"]])
        >>> round(found.precision, 3), found.recall, found.mistaken
        (0.333, 0.5, {('Y', 'X'): 1})

    Source: https://aclanthology.org/W03-0419 (the measure);
        https://github.com/chakki-works/seqeval
    """
    try:
        from seqeval.metrics import sequence_labeling
    except ImportError as error:
        raise ImportError(
            "Scores of spans need the extra `evaluate`: pip install "
            "'keras-lm[evaluate]'. Received: an installation without seqeval"
        ) from error

    if isinstance(ignore, (str, bytes)):
        raise TypeError(f"`ignore` must be a list of labels. Received: {ignore!r}")
    check_lists(labels=labels, answers=answers)
    labels, answers = list(labels), list(answers)
    _check(labels, answers)
    truth, found = (_without(rows, set(ignore)) for rows in (labels, answers))
    spans = [list(map(word_spans, rows)) for rows in (truth, found)]
    names = sorted({label for rows in spans for row in rows for *_, label in row})
    options = {"zero_division": 0}
    measure = sequence_labeling.precision_recall_fscore_support
    scores = measure(truth, found, **options) if names else ()
    together = measure(truth, found, average="micro", **options) if names else (0,) * 4
    precision, recall, f1, _ = together
    return SpanReport(
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        exact=sum(map(list.__eq__, *spans)) / len(truth),
        by_label=label_scores(names, scores),
        mistaken=_mistaken(*spans),
    )


def _check(labels, answers):
    if len(labels) != len(answers) or not labels:
        raise ValueError(
            "There must be an answer for each sentence, and a sentence. "
            f"Received: {len(labels)} sentences and {len(answers)} answers"
        )
    for number, (truth, found) in enumerate(zip(labels, answers, strict=True)):
        if len(truth) != len(found):
            raise ValueError(
                "An answer must have a label for each word. Received: "
                f"{len(truth)} words and {len(found)} labels in sentence {number}"
            )
        for label in (*truth, *found):
            if not _is_bio(label):
                raise ValueError(
                    'A label must be "O", or "B-" or "I-" and the name of a span. '
                    f"Received: {label!r} in sentence {number}"
                )


def _is_bio(label):
    if not isinstance(label, str):
        return False
    kind, name = parse_label(label)
    return kind == OUTSIDE or (kind != "" and name != "")


def _without(rows, ignored):
    return [
        [OUTSIDE if parse_label(label)[1] in ignored else label for label in row]
        for row in rows
    ]


def _mistaken(truth, found):
    """Spans whose label alone is another, the most frequent first."""
    counts = Counter()
    for right, given in zip(truth, found, strict=True):
        called = {(first, end): label for first, end, label in given}
        for first, end, label in right:
            other = called.get((first, end), label)
            if other != label:
                counts[label, other] += 1
    return dict(counts.most_common())
