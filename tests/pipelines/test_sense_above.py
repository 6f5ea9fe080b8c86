"""sense_above: the best sense where it leads, else the first."""

import numpy as np
import pytest

from keras_lm.pipelines.sense_above import sense_above

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("scores", "lead", "expected"),
    [
        ([0.25, 0.5, 0.75], 0.0, 2),
        ([0.25, 0.5, 0.75], 0.4, 2),
        ([0.25, 0.5, 0.75], 0.5, 0),  # just as far is not above
        ([0.75, 0.5, 0.75], 0.0, 0),
        ([-0.75, -0.5], 0.125, 1),
        ([0.5], 0.0, 0),
    ],
)
def test_another_sense_must_be_above_the_first_by_more_than_the_lead(
    scores, lead, expected
):
    assert sense_above(np.array(scores, "float32"), lead) == expected
