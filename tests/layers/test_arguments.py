"""arguments: what the checks of constructors refuse, and seeds of their own."""

import pytest

from keras_lm.layers.arguments import (
    check_choice,
    check_dropout,
    check_heads,
    check_sizes,
    seed_of,
)

pytestmark = pytest.mark.once


def test_what_passes():
    check_sizes(num_layers=1, hidden_dim=300)
    check_sizes()
    check_heads(3, 12)
    check_dropout(0)
    check_dropout(0.99)
    check_choice("positions", None, ("learned", None))


def test_sizes_below_one_are_refused_by_name():
    with pytest.raises(ValueError, match="`width` must be at least 1. Received: w"):
        check_sizes(length=2, width=0)


@pytest.mark.parametrize("num_heads", [0, 5])
def test_heads_that_do_not_divide_are_refused(num_heads):
    with pytest.raises(ValueError, match="must be a multiple of `num_heads`"):
        check_heads(num_heads, 12)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_no_fraction_is_refused(dropout):
    with pytest.raises(ValueError, match="`dropout` must be at least 0 and below 1"):
        check_dropout(dropout)


def test_an_unknown_choice_is_refused():
    with pytest.raises(ValueError, match=r"`kind` must be one of \['a', None\]"):
        check_choice("kind", "b", ("a", None))


def test_seeds():
    assert [seed_of(5, place) for place in range(3)] == [5, 6, 7]
    assert seed_of(None, 2) is None
