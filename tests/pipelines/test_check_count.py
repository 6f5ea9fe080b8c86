"""check_count: what is in range passes."""

import pytest

from keras_lm.pipelines.check_count import check_count

pytestmark = pytest.mark.once


def test_ints_within_the_range_pass():
    check_count("count", 2, 2)
    check_count("count", 5, 2, 5)
    for wrong, told in [(6, "at least 2 and at most 5. R"), (2.0, "at least 2 and")]:
        with pytest.raises(ValueError, match=f"`count` must be an int, {told}"):
            check_count("count", wrong, 2, 5)
    with pytest.raises(ValueError, match="at least 2. Received: count=1"):
        check_count("count", 1, 2)
