"""consecutive_segments: each token once, batches that go on, what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import consecutive_segments
from tests.checks import examples

pytestmark = pytest.mark.once


@examples(30)
@given(st.integers(2, 80), st.integers(1, 5), st.integers(1, 7))
def test_rows_go_on_from_batch_to_batch_and_each_token_is_predicted_once(
    count, batch_size, length
):
    known, following, weights = consecutive_segments(
        np.arange(1, count + 1), batch_size, length
    )

    assert len(known) % batch_size == 0
    real = weights > 0
    assert following[real].size == count - 1
    assert set(following[real].tolist()) == {*range(2, count + 1)}
    np.testing.assert_array_equal(known[real] + 1, following[real])
    for array in (known, following):
        rows = array.reshape(-1, batch_size, length).swapaxes(0, 1).reshape(-1)
        np.testing.assert_array_equal(rows[: count - 1], rows[0] + np.arange(count - 1))
        assert not rows[count - 1 :].any()
    assert weights.size - weights.sum() < batch_size * length
    assert (known.dtype, weights.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize("wrong", [[], [1], 5, [[1, 2]]])
def test_what_is_no_row_of_tokens_is_refused(wrong):
    with pytest.raises(ValueError, match="must be one row of at least 2 tokens"):
        consecutive_segments(wrong, 2, 3)


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        consecutive_segments([1, 2], 0, 3)
    with pytest.raises(ValueError, match="`sequence_length` must be at least 1"):
        consecutive_segments([1, 2], 1, 0)
