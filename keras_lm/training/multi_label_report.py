"""How good a classifier is whose texts have any number of labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_lm.text.check_lists import check_lists
from keras_lm.training.classification_report import (
    LabelScore,
    as_float64,
    distinct_names,
    label_scores,
    scikit_metrics,
)


class MultiLabelReport(NamedTuple):
    """What `multi_label_report` gives, each 0 to 1 but for `by_label`.

    Args:
        subset_accuracy: share of the texts that were given all of their labels and no
            other.
        hamming_loss: share of the answers, one for each text and label, that are wrong.
        micro_precision: share of the labels given that are right.
        micro_recall: share of the right labels that were given.
        micro_f1: harmonic mean of both: frequent labels count most.
        macro_precision: mean over the labels that occur or were given.
        macro_recall: the same.
        macro_f1: the same: a rare label counts as much as a frequent one.
        by_label: dict of `LabelScore`, by name.
    """

    subset_accuracy: float
    hamming_loss: float
    micro_precision: float
    micro_recall: float
    micro_f1: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    by_label: dict[str, LabelScore]

    def __str__(self):
        """A table: all labels, then each."""
        told = [
            f"all labels right {self.subset_accuracy:.3f}, micro F1 "
            f"{self.micro_f1:.3f}, macro F1 {self.macro_f1:.3f}, Hamming loss "
            f"{self.hamming_loss:.3f}"
        ]
        told += [f"{name}: {score}" for name, score in self.by_label.items()]
        return "\n".join(told)


def multi_label_report(
    labels: Sequence,
    probabilities: np.ndarray,
    label_names: Sequence[str],
    threshold: float = 0.5,
) -> MultiLabelReport:
    """Precision, recall and F1 where a text has any number of labels.

    A text is given every label whose probability is at least `threshold`. With the
    numbers of labels that are given and right, `tp`, given and wrong, `fp`, and right
    but not given, `fn`, of each label or (micro) of all together,

        precision = tp / (tp + fp)    recall = tp / (tp + fn)
        F1 = 2 tp / (2 tp + fp + fn)

    All are scikit-learn's; what has nothing to divide by is 0. `classification_report`
    is for one label a text; it also says how well the probabilities of one of these
    labels are calibrated.

    Shapes: `N` texts, `C` labels.

    Args:
        labels: for each text a list of any number of `label_names`, as
            `text.classification_dataset` takes them; or `(N, C)`, 1 for each label that
            the text has, else 0.
        probabilities: float `(N, C)`, 0 to 1: what `probabilities` of a
            `pipelines.TextClassifier` with `multi_label` gives.
        label_names: in the order of the columns, no two alike.
        threshold: float, 0 to 1.

    Returns:
        `MultiLabelReport`.

    Raises:
        ImportError: scikit-learn is not installed (the extra `evaluate`).
        TypeError: `probabilities` are no numbers, or `labels`, `label_names` or the
            labels of a text no list.
        ValueError: there is no text, a label is unknown, two names are alike,
            `threshold` is out of range, or `probabilities` are none or of another
            shape.

    Example:
        >>> found = keras_lm.training.multi_label_report(
        ...     [["sad", "long"], []], [[0.9, 0.2], [0.1, 0.4]], ["sad", "long"])
        >>> found.subset_accuracy, round(found.micro_f1, 3), found.macro_recall
        (0.5, 0.667, 0.5)

    Source: https://scikit-learn.org/stable/modules/model_evaluation.html, "From binary
        to multiclass and multilabel".
    """
    metrics = scikit_metrics()
    if not 0 <= threshold <= 1:
        raise ValueError(
            f"`threshold` must be from 0 to 1. Received: threshold={threshold}"
        )
    check_lists(labels=labels, label_names=label_names)
    labels, names = list(labels), distinct_names(label_names)
    probabilities = _checked(probabilities, (len(labels), len(names)))
    truth = _truth(labels, names)
    answer = (probabilities >= threshold).astype(int)
    # scikit-learn takes a single column for classes 0 and 1: a second one is not asked.
    columns = [np.pad(one, ((0, 0), (0, 1))) for one in (truth, answer)]
    options = {"labels": range(len(names)), "zero_division": 0}
    measure = metrics.precision_recall_fscore_support
    scores = measure(*columns, **options)
    seen = (truth | answer).any(axis=0)
    micro = measure(*columns, average="micro", **options)[:3]
    macro = (one[seen].mean() if seen.any() else 0.0 for one in scores[:3])
    return MultiLabelReport(
        float(metrics.accuracy_score(*columns)),
        float((truth != answer).mean()),
        *map(float, micro),
        *map(float, macro),
        by_label=label_scores(names, scores),
    )


def _checked(probabilities, wanted):
    """Float64 `(N, C)`."""
    probabilities = as_float64(probabilities)
    if 0 in wanted or probabilities.shape != wanted:
        raise ValueError(
            "There must be a text, and `probabilities` of a row for each and a column "
            f"for each label, {wanted}. Received: shape {probabilities.shape}"
        )
    outside = ~((probabilities >= 0) & (probabilities <= 1)).all(axis=1)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(
            "`probabilities` must be from 0 to 1. "
            f"Received: {probabilities[row].tolist()} in row {row}"
        )
    return probabilities


def _truth(labels, names):
    """Int `(N, C)`."""
    places = {name: place for place, name in enumerate(names)}
    truth = np.zeros((len(labels), len(names)), int)
    for row, given in enumerate(labels):
        if isinstance(given, (str, bytes)) or not np.iterable(given):
            raise TypeError(
                "The labels of a text must be a list. "
                f"Received: {given!r:.50} of text {row}"
            )
        given = list(given)
        if len(given) == len(names) and set(given) <= {0, 1}:
            truth[row] = given
            continue
        for label in given:
            if label not in places:
                raise ValueError(
                    "The labels of a text must be a list of some of "
                    f"{names}, or 0 or 1 for each. Received: {label!r} of text {row}"
                )
            truth[row, places[label]] = 1
    return truth
