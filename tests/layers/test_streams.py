"""Named streams: names, arrays, real steps and absence, and what is refused."""

import numpy as np
import pytest

from keras_lm.layers.streams import (
    check_names,
    check_streams,
    keep_present,
    real_steps,
)
from tests.checks import assert_close

HIDDEN = np.arange(12.0).reshape(2, 2, 3) + 1


def test_steps_are_real_unless_said_otherwise():
    assert_close(real_steps(HIDDEN), np.ones((2, 2)))
    assert_close(real_steps(HIDDEN, np.array([[1, 0], [0, 0]])), [[1, 0], [0, 0]])


def test_a_stream_without_a_visible_step_becomes_0():
    kept = keep_present(HIDDEN, np.array([[False, True], [False, False]]))
    assert_close(kept, np.stack([HIDDEN[0], 0 * HIDDEN[1]]))


def test_good_names_and_streams_pass():
    check_names(["a", "b"], ["b"])
    check_streams({"a": HIDDEN}, {}, {"b": HIDDEN}, ["a", "b"])


@pytest.mark.parametrize(
    ("modalities", "causal", "message"),
    [
        ([], [], "`modalities` must be names, at least one, all different"),
        (["a", ""], [], "`modalities` must be names"),
        (["a", 3], [], "`modalities` must be names"),
        (["a", "a"], [], "`modalities` must be names"),
        (["a"], ["b"], "`causal_modalities` must be among `modalities`"),
        (["a", "b"], ["a", "b"], "At least one modality must not be causal"),
    ],
)
def test_bad_names_are_refused(modalities, causal, message):
    with pytest.raises(ValueError, match=message):
        check_names(modalities, causal)


@pytest.mark.parametrize(
    ("streams", "masks", "present", "message"),
    [
        ({}, {}, {}, "`streams` must hold at least one stream"),
        ({"c": HIDDEN}, {}, {}, "`streams` must be named as in modalities"),
        ({"a": HIDDEN}, {"c": 0}, {}, "`masks` must be named as in modalities"),
        ({"a": HIDDEN}, {}, {"c": 0}, "`present` must be named as in modalities"),
        ({"a": HIDDEN[0]}, {}, {}, r"must have shape \(batch, steps, width\)"),
    ],
)
def test_bad_streams_are_refused(streams, masks, present, message):
    with pytest.raises(ValueError, match=message):
        check_streams(streams, masks, present, ["a", "b"])
