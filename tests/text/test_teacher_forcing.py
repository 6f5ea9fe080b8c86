"""teacher_forcing: by hand, every token predicted from those before it, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import teacher_forcing

pytestmark = pytest.mark.once
ROWS = st.lists(st.integers(3, 99), max_size=7)


class Source:
    separator_id, padding_id = 2, 0


class Target:
    separator_id, padding_id = 7, 5


def test_a_case_done_by_hand():
    inputs, labels, weights = teacher_forcing(
        [[31, 32, 33], []], [[41], [42, 43]], Source, Target
    )

    assert {name: array.tolist() for name, array in inputs.items()} == {
        "encoder_token_ids": [[31, 32, 33, 2], [2, 0, 0, 0]],
        "decoder_token_ids": [[7, 41, 5], [7, 42, 43]],
        "encoder_padding_mask": [[True] * 4, [True, False, False, False]],
        "decoder_padding_mask": [[True, True, False], [True, True, True]],
    }
    assert labels.tolist() == [[41, 7, 5], [42, 43, 7]]
    assert weights.tolist() == [[1, 1, 0], [1, 1, 1]]
    kinds = [array.dtype.name for array in (*inputs.values(), labels, weights)]
    assert kinds == ["int32", "int32", "bool", "bool", "int32", "float32"]


@given(st.lists(st.tuples(ROWS, ROWS), min_size=1, max_size=5), st.integers(0, 3))
def test_what_is_predicted_is_what_comes_next(pairs, extra):
    sources, targets = zip(*pairs, strict=True)
    widths = (max(map(len, sources)) + 1 + extra, max(map(len, targets)) + 1 + extra)

    inputs, labels, weights = teacher_forcing(sources, targets, Source, Target, widths)

    assert inputs["encoder_token_ids"].shape == (len(pairs), widths[0])
    assert labels.shape == weights.shape == (len(pairs), widths[1])
    for i, (source, target) in enumerate(pairs):
        real = inputs["encoder_padding_mask"][i]
        assert inputs["encoder_token_ids"][i][real].tolist() == [*source, 2]
        assert (inputs["encoder_token_ids"][i][~real] == 0).all()
        real = inputs["decoder_padding_mask"][i]
        assert inputs["decoder_token_ids"][i][real].tolist() == [7, *target]
        assert labels[i][real].tolist() == [*target, 7]
        assert np.array_equal(real, weights[i] == 1)
        assert (labels[i][~real] == 5).all() and not weights[i][~real].any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="as many sources as targets. Received: 1 sou"):
        teacher_forcing([[3]], [], Source, Target)
    for widths in [(2, 9), (9, 2)]:
        with pytest.raises(ValueError, match="must fit `widths`.* 3 tokens for a widt"):
            teacher_forcing([[3, 4]], [[5, 6]], Source, Target, widths)
