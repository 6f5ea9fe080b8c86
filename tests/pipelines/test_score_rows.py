"""score_rows: the sum over the end of each row, whatever the others are."""

import numpy as np
import pytest
from keras import ops

from keras_lm.pipelines.score_rows import score_rows
from keras_lm.text.pad_rows import pad_rows
from tests.checks import assert_close
from tests.pipelines.test_text_generator import MODEL

ROWS = [[1, 7, 9, 30, 2], [1, 8], [5] * 38, *([1, 4, n] for n in range(9))]


@pytest.mark.slow_elsewhere
def test_the_end_is_scored_given_the_beginning():
    firsts = [3, 1, 36, *[2] * 9]

    found = score_rows(MODEL, ROWS, firsts)

    padded, _ = pad_rows(ROWS, padding=0)
    logits = ops.convert_to_numpy(MODEL(padded[:, :-1])).astype("float64")
    nats = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = [
        sum(nats[n, place - 1, row[place]] for place in range(first, len(row)))
        for n, (row, first) in enumerate(zip(ROWS, firsts))
    ]
    assert_close(found, expected, 1e-4)
    assert found.dtype == "float32"
    assert len(set(found.tolist())) == len(ROWS)


@pytest.mark.once
def test_nothing_and_too_much():
    assert score_rows(MODEL, [], []).shape == (0,)
    assert score_rows(MODEL, [[1]], [1]).tolist() == [0.0]
    with pytest.raises(ValueError, match="max_sequence_length=37. Received: 38 tok"):
        score_rows(MODEL, [[1] * 39], [1])
