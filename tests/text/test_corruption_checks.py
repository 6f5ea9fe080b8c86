"""Checks of what hides tokens: a rate, a mask token."""

import pytest

from keras_lm.text.corruption_checks import check_mask, check_rate
from tests.text.samples import MASKER, TOKENIZER

pytestmark = pytest.mark.once


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_a_rate_that_hides_nothing_or_everything_is_refused(rate):
    check_rate(0.5)

    with pytest.raises(ValueError, match="`rate` must be above 0 and below 1. Receive"):
        check_rate(rate)


def test_a_tokenizer_without_a_mask_is_refused():
    check_mask(MASKER)

    with pytest.raises(ValueError, match="`tokenizer` must have a mask token"):
        check_mask(TOKENIZER)
