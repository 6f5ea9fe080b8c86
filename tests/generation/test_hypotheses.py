"""Hypotheses: scores by hand, and what is kept in which order."""

import math

import numpy as np
import pytest
from keras import ops

from keras_lm.generation import Hypotheses
from keras_lm.generation.hypotheses import (
    coverage_score,
    flat_index,
    joined,
    keep_best,
    no_hypotheses,
    normalized,
    pick,
)
from tests.checks import assert_close

NOTHING = -math.inf


def made(scores, first=10, **more):
    """Hypotheses of two tokens that tell them apart."""
    number = np.size(scores)
    token_ids = first + np.arange(2 * number).reshape(*np.shape(scores), 2)
    arrays = {"score": np.array(scores, "float32"), "token_ids": token_ids, **more}
    return {name: ops.convert_to_tensor(array) for name, array in arrays.items()}


def in_numpy(hypotheses):
    return {name: ops.convert_to_numpy(array) for name, array in hypotheses.items()}


def test_hypotheses_unpack_into_token_ids_and_scores():
    arrays = np.zeros((2, 3, 5), "int32"), np.zeros((2, 3), "float32")
    found = Hypotheses(*arrays, finished=np.zeros((2, 3), "bool"))

    token_ids, scores = found

    assert token_ids is arrays[0] and scores is arrays[1]
    assert found.attention is None


@pytest.mark.parametrize(
    ("length_penalty", "expected"),
    # ((5 + 7) / 6) ** 1 = 2; at length 1 the scale is 1, whatever the penalty.
    [(0.0, [-3.0, -8.0]), (1.0, [-3.0, -4.0]), (2.0, [-3.0, -2.0]), (-1.0, [-3, -16])],
)
def test_lengths_are_made_comparable(length_penalty, expected):
    length = ops.convert_to_tensor(np.array([1, 7], "int32"))

    score = normalized(ops.convert_to_tensor([-3.0, -8.0]), length, length_penalty)

    assert_close(score, expected)


def test_coverage_by_hand():
    # Row 0: log .5 + log 1, for what got more than 1 counts as 1. Row 1: the place
    # that got nothing is padding.
    coverage = ops.convert_to_tensor([[0.5, 1.5], [0.25, 0.0]])
    mask = ops.convert_to_tensor(np.array([[True, True], [True, False]]))

    score = coverage_score(coverage, mask, 2.0)

    assert_close(score, 2 * np.log([0.5, 0.25]))
    lost = coverage_score(ops.zeros((1, 1)), ops.ones((1, 1), "bool"), 1.0)
    assert -47 < float(lost[0]) < -46


def test_empty_places():
    empty = in_numpy(no_hypotheses(2, 3, {"token_ids": (5,), "attention": (5, 7)}))

    assert (empty["score"] == NOTHING).all()
    assert {name: array.shape for name, array in empty.items()} == {
        "score": (2, 3),
        "token_ids": (2, 3, 5),
        "attention": (2, 3, 5, 7),
    }


def test_the_best_of_two_are_kept_in_order_and_of_equal_ones_the_first():
    pool = made([[-1.0, -3.0, NOTHING], [-2.0, NOTHING, NOTHING]])
    new = made([[-2.0, NOTHING], [-3.0, -1.0]], first=50)

    kept = in_numpy(keep_best(joined(pool, new), 3))

    assert kept["score"].tolist() == [[-1, -2, -3], [-1, -2, -3]]
    firsts = kept["token_ids"][:, :, 0].tolist()
    assert firsts == [[10, 50, 12], [56, 16, 54]]


def test_picking_equals_indexing():
    rng = np.random.default_rng(seed=0)
    array, index = rng.normal(size=(3, 5, 2, 7)), rng.integers(0, 5, size=(3, 4))

    picked = pick(
        ops.convert_to_tensor(array), ops.convert_to_tensor(index.astype("int32"))
    )

    assert_close(picked, array[np.arange(3)[:, None], index])
    flat = ops.convert_to_numpy(flat_index(ops.convert_to_tensor(index), 3, 5))
    assert_close(array.reshape(15, 2, 7)[flat], array[np.arange(3)[:, None], index])
