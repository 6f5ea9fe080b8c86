"""ContrastiveCrossEntropy: by hand, what is left out, both directions, saved."""

import numpy as np
import pytest

from keras_lm.training import ContrastiveCrossEntropy
from tests.checks import assert_close, gradients

T = 0.5
rng = np.random.default_rng(seed=0)
COSINES = rng.uniform(-1, 1, size=(2, 4)).astype("float32")
# A match each, a hard negative each; the second text's match is no negative of the
# first, and the first one's hard negative none of the second.
TARGETS = np.array([[1, -1, 0, 0], [0, 1, -1, 0]], "float32")


def nats(right, *others):
    """Of one choice, from cosines."""
    odds = np.exp(np.array([right, *others], "float64") / T)
    return -np.log(odds[0] / odds.sum())


def test_a_case_done_by_hand():
    (a, _, b, c), (d, e, _, f) = COSINES
    rows = [nats(a, b, c), nats(e, d, f)]
    # The first match may be told from the second text; the second match from none.
    columns = [nats(a, d), nats(e)]

    assert_close(ContrastiveCrossEntropy(T)(TARGETS, COSINES), np.mean(rows))
    both = ContrastiveCrossEntropy(T, symmetric=True)(TARGETS, COSINES)
    assert_close(both, np.mean(rows + columns))
    weighted = ContrastiveCrossEntropy(T)(TARGETS, COSINES, np.array([1.0, 0.0]))
    assert_close(weighted, rows[0])


@pytest.mark.parametrize("symmetric", [False, True])
def test_what_is_left_out_has_no_influence(symmetric):
    loss = ContrastiveCrossEntropy(T, symmetric=symmetric)
    others = np.where(TARGETS < 0, 0.99, COSINES)
    assert_close(loss(TARGETS, others), loss(TARGETS, COSINES))

    _, (found,) = gradients(lambda cosines: loss(TARGETS, cosines), [COSINES])

    assert (found[TARGETS < 0] == 0).all()
    assert (found[TARGETS == 1] < 0).all()
    assert (found[TARGETS == 0] > 0).all()


def test_a_text_alone_costs_nothing_and_a_low_temperature_stays_finite():
    assert_close(ContrastiveCrossEntropy()(np.ones((1, 1)), np.array([[-0.3]])), 0.0)
    sharp = ContrastiveCrossEntropy(1e-3)(np.eye(2), np.array([[1.0, -1], [1, -1]]))
    assert_close(sharp, 1000.0)


def test_its_configuration_gives_it_back():
    loss = ContrastiveCrossEntropy(0.2, symmetric=True, name="pairs")

    copy = ContrastiveCrossEntropy.from_config(loss.get_config())
    assert (copy.temperature, copy.symmetric, copy.name) == (0.2, True, "pairs")


@pytest.mark.once
@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_no_temperature_is_refused(temperature):
    with pytest.raises(ValueError, match="`temperature` must be above 0. Received: t"):
        ContrastiveCrossEntropy(temperature)
