"""How good a classifier is, and how far its probabilities can be believed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_lm.text.check_lists import check_lists


class LabelScore(NamedTuple):
    """What one label gets. All but `count` are 0 to 1.

    Args:
        precision: share of the texts that were called so and are so.
        recall: share of the texts that are so and were called so.
        f1: harmonic mean of both.
        count: int, the texts that are so.
    """

    precision: float
    recall: float
    f1: float
    count: int

    def __str__(self):
        """All four, in half a line."""
        return (
            f"precision {self.precision:.3f}, recall {self.recall:.3f}, "
            f"F1 {self.f1:.3f}; of {self.count}"
        )


class ClassificationReport(NamedTuple):
    """What `classification_report` gives.

    Args:
        accuracy: float, 0 to 1: share of the texts whose likeliest label is theirs.
        macro_precision: float, 0 to 1: mean over the labels that occur or were named.
        macro_recall: float, 0 to 1: the same.
        macro_f1: float, 0 to 1: the same.
        matthews_correlation: float, -1 to 1; 0 is chance.
        calibration_error: float, 0 to 1: expected calibration error.
        confusion: int `(C, C)`: texts of the row's label that were given the column's.
        by_label: dict of `LabelScore`, by name.
    """

    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    matthews_correlation: float
    calibration_error: float
    confusion: np.ndarray
    by_label: dict[str, LabelScore]

    def __str__(self):
        """A table: all labels, then each with the labels that its texts were given."""
        told = [
            f"accuracy {self.accuracy:.3f}, macro F1 {self.macro_f1:.3f}, Matthews "
            f"{self.matthews_correlation:.3f}, calibration error "
            f"{self.calibration_error:.3f}"
        ]
        for row, (name, score) in zip(
            self.confusion, self.by_label.items(), strict=True
        ):
            given = ", ".join(
                f"{count} {label}"
                for label, count in zip(self.by_label, row, strict=True)
                if count
            )
            told.append(f"{name}: {score} given {given or 'nothing'}")
        return "\n".join(told)


def classification_report(
    labels: Sequence[str],
    probabilities: np.ndarray,
    label_names: Sequence[str],
    num_bins: int = 15,
) -> ClassificationReport:
    """Accuracy, precision, recall, F1, Matthews' correlation, calibration, confusion.

    All but the calibration are scikit-learn's. The likeliest label of each text is the
    answer, its probability the confidence; with the texts divided by confidence into
    bins of one width,

        calibration error = sum over bins of  n_bin / N  |accuracy_bin - confidence_bin|

    A text with any number of labels is for `multi_label_report`; only the calibration
    of one of its labels is asked here: with the names `["no", "yes"]`, and `1 - p` and
    `p` for probabilities.

    Shapes: `N` texts, `C` classes.

    Args:
        labels: for each text the one that is right, of `label_names`.
        probabilities: float `(N, C)`, each row sums to 1: what
            `pipelines.TextClassifier.probabilities` gives.
        label_names: in the order of the classes, no two alike.
        num_bins: int, at least 1.

    Returns:
        `ClassificationReport`.

    Raises:
        ImportError: scikit-learn is not installed (the extra `evaluate`).
        TypeError: `labels` or `label_names` are no list, or `probabilities` no numbers.
        ValueError: there is no text, a label is unknown, two names are alike, or
            `probabilities` are none or of another shape.

    Example:
        >>> found = keras_lm.training.classification_report(
        ...     ["-", "+", "+"], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], ["-", "+"])
        >>> found.confusion.tolist(), round(found.accuracy, 3)
        ([[1, 0], [1, 1]], 0.667)

    Source: https://arxiv.org/abs/1706.04599, section 2 (calibration error);
        https://doi.org/10.1016/0005-2795(75)90109-9 (Matthews' correlation).
    """
    metrics = scikit_metrics()
    check_lists(labels=labels, label_names=label_names)
    names, probabilities = distinct_names(label_names), as_float64(probabilities)
    truth = _checked(list(labels), probabilities, names, num_bins)
    answer = probabilities.argmax(axis=1)
    every = range(len(names))
    scores = metrics.precision_recall_fscore_support(
        truth, answer, labels=every, zero_division=0
    )
    seen = np.union1d(truth, answer)
    precision, recall, f1 = (float(one[seen].mean()) for one in scores[:3])
    return ClassificationReport(
        accuracy=float((truth == answer).mean()),
        macro_precision=precision,
        macro_recall=recall,
        macro_f1=f1,
        matthews_correlation=float(metrics.matthews_corrcoef(truth, answer)),
        calibration_error=_calibration_error(
            probabilities.max(axis=1), truth == answer, num_bins
        ),
        confusion=metrics.confusion_matrix(truth, answer, labels=every),
        by_label=label_scores(names, scores),
    )


def scikit_metrics():
    """`sklearn.metrics`, or an error that names the extra."""
    try:
        from sklearn import metrics
    except ImportError as error:
        raise ImportError(
            "Scores of classifiers need the extra `evaluate`: pip install "
            "'keras-lm[evaluate]'. Received: an installation without scikit-learn"
        ) from error
    return metrics


def distinct_names(label_names) -> list:
    """Names as a list, if no two are alike."""
    names = list(label_names)
    if len(set(names)) < len(names):
        raise ValueError(
            f"`label_names` must be names, no two alike. Received: {names}"
        )
    return names


def as_float64(probabilities):
    """Numbers of any kind, and nothing else."""
    if np.asarray(probabilities).dtype.kind not in "fiu":
        raise TypeError(
            "`probabilities` must be numbers, as `TextClassifier.probabilities` gives. "
            f"Received: {probabilities!r:.50}"
        )
    return np.asarray(probabilities, "float64")


def label_scores(names, scores) -> dict[str, LabelScore]:
    """By name, of four arrays: precision, recall, F1 and count of each."""
    return {
        name: LabelScore(float(right), float(found), float(both), int(count))
        for name, right, found, both, count in zip(names, *scores, strict=True)
    }


def _checked(labels, probabilities, names, num_bins):
    """The class of each text, int `(N,)`."""
    if num_bins < 1:
        raise ValueError(f"`num_bins` must be at least 1. Received: {num_bins}")
    wanted = (len(labels), len(names))
    if not labels or probabilities.shape != wanted:
        raise ValueError(
            "There must be a text, and `probabilities` of a row for each and a column "
            f"for each label, {wanted}. Received: shape {probabilities.shape}"
        )
    places = {name: place for place, name in enumerate(names)}
    unknown = [label for label in labels if label not in places]
    if unknown:
        raise ValueError(f"A label must be one of {names}. Received: {unknown[0]!r}")
    sums = probabilities.sum(axis=1)
    if not (np.abs(sums - 1) < 1e-3).all() or probabilities.min() < 0:
        row = int(np.nanargmax(np.where(np.isnan(sums), np.inf, np.abs(sums - 1))))
        raise ValueError(
            "`probabilities` must be at least 0, and each row sum to 1. "
            f"Received: {probabilities[row].tolist()} in row {row}"
        )
    return np.array([places[label] for label in labels])


def _calibration_error(confidence, right, num_bins):
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    gaps = np.bincount(bins, right - confidence, num_bins)
    return float(np.abs(gaps).sum() / len(confidence))
