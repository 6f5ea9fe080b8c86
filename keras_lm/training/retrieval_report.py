"""How well a search ranks what is relevant: nDCG, recall, reciprocal rank."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from keras_lm.text.check_lists import check_lists


class RetrievalReport(NamedTuple):
    """What `retrieval_report` gives: means over the queries, each 0 to 1.

    Args:
        ndcg: normalised discounted cumulative gain.
        recall: share of the relevant documents that are found.
        reciprocal_rank: 1 / place of the first relevant one, 0 if none is found.
        k: int: how many answers of each query are looked at.
        num_queries: int.
    """

    ndcg: float
    recall: float
    reciprocal_rank: float
    k: int
    num_queries: int

    def __str__(self):
        """One line."""
        return (
            f"nDCG@{self.k} {self.ndcg:.4f}, recall@{self.k} {self.recall:.4f}, "
            f"reciprocal rank {self.reciprocal_rank:.4f}, {self.num_queries} queries"
        )


def retrieval_report(
    ranked: Sequence[Sequence[Hashable]],
    relevant: Sequence,
    k: int = 10,
) -> RetrievalReport:
    """How good the first answers of a search are.

    With the gain `g_r` of the document at place `r`, 0 for one that is not relevant:

        DCG  = sum over r = 1 .. k of  g_r / log2(r + 1)
        nDCG = DCG / DCG of the best ranking of all relevant documents

    Differs from the paper in the discount: there it is by log_b of the place, from the
    place b on.

    All relevant documents count in the best ranking and in the recall, also those that
    the search did not find. (scikit-learn's `ndcg_score` wants a score for each
    document; where there is one, and no two are alike, it gives the same.)

    Args:
        ranked: for each query the ids of documents, the best first, no two alike. What
            is behind the first `k` is not looked at.
        relevant: for each query the ids of what is relevant, at least one: a set, list
            or tuple, each with gain 1, or a dict of gains, at least 0, by id.
        k: int, at least 1.

    Returns:
        `RetrievalReport`.

    Raises:
        TypeError: an answer, or what is relevant, is a string.
        ValueError: `k` is below 1, there is no query, not as many of both, a query has
            nothing relevant, a gain is below 0, or an answer stands twice.

    Example:
        >>> found = keras_lm.training.retrieval_report(
        ...     [["a", "b"], ["c", "a"]], [{"b"}, {"c"}])
        >>> round(found.ndcg, 3), found.recall, found.reciprocal_rank
        (0.815, 1.0, 0.75)

    Source: https://doi.org/10.1145/582415.582418.
    """
    check_lists(ranked=ranked, relevant=relevant)
    ranked, relevant = list(ranked), list(relevant)
    if k < 1:
        raise ValueError(f"`k` must be at least 1. Received: k={k}")
    if len(ranked) != len(relevant) or not ranked:
        raise ValueError(
            "There must be as many rankings as sets of what is relevant, at least one. "
            f"Received: {len(ranked)} and {len(relevant)}"
        )
    scores = [
        _scores(_answers(answers, number, k), _gains(wanted, number), k)
        for number, (answers, wanted) in enumerate(zip(ranked, relevant, strict=True))
    ]
    ndcg, recall, reciprocal_rank = np.mean(scores, axis=0).tolist()
    return RetrievalReport(ndcg, recall, reciprocal_rank, k, len(ranked))


def _answers(answers, number, k):
    if isinstance(answers, (str, bytes)):
        raise TypeError(
            "A ranking must be a list of ids. "
            f"Received: {answers!r:.50} for query {number}"
        )
    first = list(answers)[:k]
    if len(set(first)) < len(first):
        raise ValueError(
            "A ranking must have each id once. "
            f"Received: {first!r:.80} for query {number}"
        )
    return first


def _gains(wanted, number):
    """Gains above 0, by id."""
    if isinstance(wanted, (str, bytes)):
        raise TypeError(
            "What is relevant must be a set, a list or a dict of ids. "
            f"Received: {wanted!r:.50} for query {number}"
        )
    if not isinstance(wanted, Mapping):
        wanted = dict.fromkeys(wanted, 1.0)
    if not all(0 <= gain < math.inf for gain in wanted.values()):
        raise ValueError(
            "A gain must be at least 0, and finite. "
            f"Received: {wanted!r:.80} for query {number}"
        )
    gains = {name: float(gain) for name, gain in wanted.items() if gain > 0}
    if not gains:
        raise ValueError(
            "Each query must have something relevant (leave others out). "
            f"Received: nothing for query {number}"
        )
    return gains


def _scores(answers, gains, k):
    """`(ndcg, recall, reciprocal rank)` of a query."""
    found = np.array([gains.get(name, 0.0) for name in answers])
    best = np.array(sorted(gains.values(), reverse=True)[:k])
    places = np.flatnonzero(found)
    first = 1 / (places[0] + 1) if len(places) else 0.0
    return _dcg(found) / _dcg(best), len(places) / len(gains), first


def _dcg(gains):
    return float(np.sum(gains / np.log2(np.arange(2, len(gains) + 2))))
