"""EncodedPair: in the order in which it is taken apart."""

import pytest

from keras_lm.text.encoded_pair import EncodedPair

pytestmark = pytest.mark.once


def test_its_order():
    fields = ("token_ids", "segment_ids", "sides", "offsets")

    assert EncodedPair._fields == fields
