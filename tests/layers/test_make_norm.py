"""make_norm: the two formulas, done by hand, and what is refused."""

import keras
import numpy as np
import pytest

from keras_lm.layers.make_norm import make_norm
from tests.checks import assert_close

POLICY = keras.dtype_policies.DTypePolicy("float32")


@pytest.mark.parametrize(
    ("kind", "expected"),
    # Mean 5 and variance 4, and a mean square of 29; epsilon makes squares of them.
    [("layer", [-2 / 3, 2 / 3]), ("rms", [3 / 34**0.5, 7 / 34**0.5])],
)
def test_a_case_done_by_hand(kind, expected):
    norm = make_norm(POLICY, "norm", epsilon=5.0, kind=kind)

    assert_close(norm(np.array([[3.0, 7.0]])), [expected])
    assert norm.name == "norm"


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="`normalization` must be one of"):
        make_norm(POLICY, "norm", kind="batch")
