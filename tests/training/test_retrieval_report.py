"""retrieval_report: by hand, as scikit-learn, what was not found, errors."""

import numpy as np
import pytest
from sklearn import metrics

from keras_lm.training import retrieval_report

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    # Relevant at places 2 and 4 of three relevant ones; at place 1, gain 2 of 3 and 2.
    found = retrieval_report(
        [["a", "是", "c", 4, "e"], ["🙂"]],
        [["是", 4, "lost"], {"🙂": 2, "x": 3, "none": 0}],
        k=4,
    )

    best = 1 + 1 / np.log2(3) + 1 / 2
    first = (1 / np.log2(3) + 1 / np.log2(5)) / best
    second = 2 / (3 + 2 / np.log2(3))
    assert found.ndcg == pytest.approx((first + second) / 2)
    assert found.recall == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found.reciprocal_rank == pytest.approx((1 / 2 + 1) / 2)
    assert (found.k, found.num_queries) == (4, 2)
    assert str(found).endswith("recall@4 0.5833, reciprocal rank 0.7500, 2 queries")


def test_numbers_are_those_of_scikit_learn_where_all_is_ranked():
    rng = np.random.default_rng(seed=0)
    scores, gains = rng.normal(size=(9, 20)), rng.integers(0, 4, size=(9, 20))
    ranked = np.argsort(-scores, axis=1).tolist()
    relevant = [dict(enumerate(row.tolist())) for row in gains]

    found = retrieval_report(ranked, relevant, k=7)

    assert found.ndcg == pytest.approx(metrics.ndcg_score(gains, scores, k=7))


def test_nothing_found_is_0_and_the_best_ranking_is_1():
    nothing = retrieval_report([[], ["a"]], [{"b"}, ["b"]])
    assert nothing[:3] == (0, 0, 0)

    best = retrieval_report([["x", "y", "z"]], [{"z": 1, "x": 3, "y": 2}], k=3)
    assert best[:3] == pytest.approx((1, 1, 1))
    # Only so many of the relevant ones can be among the first.
    assert retrieval_report([["x", "y"]], ["xyz".__iter__()], k=2).ndcg == 1


def test_what_is_behind_the_first_k_is_not_looked_at():
    some, more = (
        retrieval_report([answers], [{"b", "d"}], k=2)
        for answers in (["a", "b"], ["a", "b", "d", "a"])
    )

    assert some == more


# ----------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("ranked", "relevant", "k", "error", "message"),
    [
        ([["a"]], [{"a"}], 0, ValueError, "`k` must be at least 1. Received: k=0"),
        ([], [], 1, ValueError, "at least one. Received: 0 and 0"),
        ([["a"]] * 2, [{"a"}], 1, ValueError, "as many rankings.*Received: 2 and 1"),
        (["ab"], [{"a"}], 1, TypeError, "list of ids. Received: 'ab' for query 0"),
        ([["a"]], ["ab"], 1, TypeError, "a dict of ids. Received: 'ab' for query 0"),
        ([["a", "a"]], [{"a"}], 2, ValueError, "each id once. Received: .*query 0"),
        ([["a"]], [{"a": -1}], 1, ValueError, "and finite. Received: {'a': -1}"),
        ([["a"]], [{"a": 1, "b": np.nan}], 1, ValueError, "and finite. Received: {'a"),
        (None, [{"a"}], 1, TypeError, "`ranked` must be a list. Received: None"),
        ([["a"]], [{"a": 0}], 1, ValueError, "something relevant.*nothing for query 0"),
        ([["a"]], [[]], 1, ValueError, "something relevant.*nothing for query 0"),
    ],
)
def test_what_does_not_fit_is_refused(ranked, relevant, k, error, message):
    with pytest.raises(error, match=message):
        retrieval_report(ranked, relevant, k)
