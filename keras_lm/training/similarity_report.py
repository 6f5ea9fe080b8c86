"""How well the likeness of texts goes with what people said of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class SimilarityReport(NamedTuple):
    """What `similarity_report` gives.

    Args:
        spearman: float, -1 to 1: correlation of the ranks; 0 is chance.
        pearson: float, -1 to 1: correlation of the numbers.
        num_pairs: int.
    """

    spearman: float
    pearson: float
    num_pairs: int

    def __str__(self):
        """One line."""
        return (
            f"Spearman {self.spearman:.4f}, Pearson {self.pearson:.4f}, "
            f"{self.num_pairs} pairs"
        )


def similarity_report(
    judgements: Sequence[float], similarities: Sequence[float]
) -> SimilarityReport:
    """Spearman's and Pearson's correlation with judgements, as of STS.

    With the deviations from the means, `x` of one and `y` of the other,

        pearson = sum(x y) / sqrt(sum(x^2) sum(y^2))

    and Spearman's is the same of the ranks, pairs that are level sharing the mean of
    theirs: only the order counts, so cosines and judgements need no common scale. Both
    are SciPy's.

    Shapes: `N` pairs of texts.

    Args:
        judgements: `N` finite numbers: how much alike the texts of each pair are.
        similarities: `N` finite numbers, what the model says: of a
            `pipelines.TextEmbedder`, `np.sum(embedder(first) * embedder(second), 1)`.

    Returns:
        `SimilarityReport`.

    Raises:
        ImportError: SciPy is not installed (the extra `evaluate`).
        ValueError: there are not as many of both, at least two, or one of both has no
            numbers, or only numbers that are alike.

    Example:
        >>> found = keras_lm.training.similarity_report([0, 3, 5], [0.1, 0.4, 0.5])
        >>> found.spearman, round(found.pearson, 3)
        (1.0, 0.986)

    Source: https://aclanthology.org/S17-2001 (Pearson's);
        https://arxiv.org/abs/1908.10084, section 4.1 (Spearman's of the cosines).
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise ImportError(
            "Scores of similarities need the extra `evaluate`: pip install "
            "'keras-lm[evaluate]'. Received: an installation without scipy"
        ) from error

    judged = _checked("judgements", judgements)
    found = _checked("similarities", similarities)
    if len(judged) != len(found):
        raise ValueError(
            "There must be a similarity for each judgement. "
            f"Received: {len(judged)} judgements and {len(found)} similarities"
        )
    return SimilarityReport(
        float(stats.spearmanr(judged, found).statistic),
        float(stats.pearsonr(judged, found).statistic),
        len(judged),
    )


def _checked(name, numbers):
    """Float64 `(N,)`, of which two differ."""
    numbers = np.asarray(numbers)
    known = numbers.ndim == 1 and numbers.dtype.kind in "fiu"
    if not known or not np.isfinite(numbers).all() or len(np.unique(numbers)) < 2:
        raise ValueError(
            f"`{name}` must be finite numbers, one for each pair, not all alike. "
            f"Received: {numbers!r:.80}"
        )
    return numbers.astype("float64")
