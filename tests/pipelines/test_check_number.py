"""check_number: what is in range, what is not, what is no number."""

import numpy as np
import pytest

from keras_lm.pipelines.check_number import check_number

pytestmark = pytest.mark.once


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.25), True])
def test_numbers_in_range(value):
    check_number("share", value, 0, 1)
    check_number("lead", value, 0)


@pytest.mark.parametrize("value", [-0.1, 1.1, "0.5", None, np.nan, np.inf, [0.5]])
def test_others(value):
    with pytest.raises(ValueError, match="`share` must be a number, from 0 to 1. Rec"):
        check_number("share", value, 0, 1)
    if value != 1.1:
        with pytest.raises(ValueError, match="`lead` must be a number, at least 0"):
            check_number("lead", value, 0)
