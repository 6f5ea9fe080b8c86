"""ModalityDropout: its contract, its statistics, the last stream, its errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import ModalityDropout
from tests.checks import assert_close, check_layer

rng = np.random.default_rng(seed=0)


def dropped(present, rate=0.4, seed=1):
    layer = ModalityDropout(rate, seed=seed)
    return ops.convert_to_numpy(layer(present, training=True))


def test_layer_contract():
    check_layer(ModalityDropout(0.3), {"present": rng.random((2, 3)) < 0.5}, (2, 3))


@given(st.integers(1, 5), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 99))
def test_at_most_one_goes_and_never_the_last(num_streams, rate, seed):
    present = np.random.default_rng(seed).random((7, num_streams)) < 0.6

    kept = dropped(present, rate, seed)

    assert not np.any(kept & ~present)  # nothing appears
    gone = present.sum(axis=1) - kept.sum(axis=1)
    assert np.all(gone <= (present.sum(axis=1) > 1))
    if rate == 0:
        assert not gone.any()
    if rate == 1:
        assert np.array_equal(gone, present.sum(axis=1) > 1)


def test_each_present_stream_is_as_likely_to_go():
    # 8,000 examples, of which 0.6 lose one of three: 0.2 for each stream, 0.3 for each
    # of two. Four standard deviations are 0.018 and 0.02.
    present = np.ones((8000, 3), "bool")
    assert np.abs(1 - dropped(present, 0.6).mean(axis=0) - 0.2).max() < 0.018
    present[:, 1] = False
    gone = present.mean(axis=0) - dropped(present, 0.6).mean(axis=0)
    assert gone[1] == 0
    assert np.abs(gone[[0, 2]] - 0.3).max() < 0.02


def test_outside_of_training_nothing_goes():
    present = np.ones((9, 2), "bool")
    for training in (False, None):
        assert_close(ModalityDropout(1.0)(present, training=training), present)


def test_the_seed_repeats_what_goes():
    present = np.ones((50, 4), "bool")
    assert np.array_equal(dropped(present, seed=3), dropped(present, seed=3))
    assert not np.array_equal(dropped(present, seed=3), dropped(present, seed=4))


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_a_bad_rate_is_refused(rate):
    with pytest.raises(ValueError, match="`rate` must be from 0 to 1"):
        ModalityDropout(rate)
