"""check_at_least: what is refused, and in which words."""

import numpy as np
import pytest

from keras_lm.text.check_at_least import check_at_least

pytestmark = pytest.mark.once


def test_numbers_from_the_least_on_pass():
    check_at_least(1, batch_size=1, num_buckets=10**9)
    check_at_least(0, seed=np.int64(0))


@pytest.mark.parametrize(("least", "number"), [(1, 0), (0, -1), (3, 2)])
def test_a_number_below_is_refused_by_its_name(least, number):
    message = f"`seed` must be at least {least}. Received: seed={number}"
    with pytest.raises(ValueError, match=message):
        check_at_least(least, batch_size=least, seed=number)


@pytest.mark.parametrize("number", ["9", 9.0, None])
def test_what_is_no_int_is_refused_by_its_name(number):
    message = f"`seed` must be an int, at least 1. Received: seed={number!r}"
    with pytest.raises(ValueError, match=message):
        check_at_least(1, batch_size=1, seed=number)
