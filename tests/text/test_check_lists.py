"""check_lists: what has an order passes, all else is refused by its name."""

import numpy as np
import pytest

from keras_lm.text.check_lists import check_lists

pytestmark = pytest.mark.once


def test_what_has_an_order_passes():
    check_lists(texts=[], labels=("a",), names=np.array(["a"]), more=iter("ab"))


@pytest.mark.parametrize("value", [None, "ab", b"ab", 3, {"a", "b"}, {"a": 0}])
def test_what_has_none_is_refused_by_its_name(value):
    with pytest.raises(TypeError, match="`labels` must be a list. Received: "):
        check_lists(texts=["a"], labels=value)
