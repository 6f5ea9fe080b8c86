"""TextPooling: its contract, cases by hand, padding, its errors."""

import numpy as np
import pytest

from keras_lm.layers import TextPooling
from tests.checks import assert_close, check_layer, padding

rng = np.random.default_rng(seed=0)
HIDDEN = rng.normal(size=(2, 7, 6)).astype("float32")  # (B, T, D)
KINDS = ("mean", "first", "attention")


@pytest.mark.parametrize("kind", KINDS)
def test_layer_contract(kind):
    inputs = {"hidden": HIDDEN, "padding_mask": padding(2, 7)}

    check_layer(TextPooling(kind), inputs, (2, 6))


def test_cases_done_by_hand():
    hidden = np.array([[[9.0], [0.2], [0.4]]], "float32")
    real = np.array([[False, True, True]])
    first = TextPooling("first")
    first(hidden)
    first.set_weights([np.array([[2.0]]), np.array([0.1])])

    assert_close(TextPooling("mean")(hidden, real), [[0.3]])
    assert_close(TextPooling("mean")(hidden), [[3.2]])
    assert_close(first(hidden, real), np.tanh([[0.5]]))
    assert_close(first(hidden), np.tanh([[18.1]]))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_has_no_influence(kind):
    real = padding(2, 7, left=True)
    real[0, -1] = False
    louder = np.where(real[..., None], HIDDEN, HIDDEN + 100.0)
    pool = TextPooling(kind)

    assert_close(pool(louder, real), pool(HIDDEN, real))


def test_a_text_of_padding_is_nothing():
    nothing = np.zeros((2, 7), "bool")

    assert_close(TextPooling("mean")(HIDDEN, nothing), np.zeros((2, 6)))
    assert_close(TextPooling("first")(HIDDEN, nothing), np.zeros((2, 6)))  # tanh(0)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="`kind` must be one of"):
        TextPooling("last")
