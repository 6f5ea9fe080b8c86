"""quick_deletion: garbage that was there before is not looked at again and again."""

import gc

import pytest

from keras_lm.models.quick_deletion import quick_deletion

pytestmark = pytest.mark.once


def test_what_there_is_is_left_alone_within_it_and_seen_afterwards():
    before = gc.get_freeze_count()

    with quick_deletion():
        assert gc.get_freeze_count() > before + 1000

    assert gc.get_freeze_count() == before


def test_what_was_frozen_before_stays_so():
    gc.freeze()
    try:
        with quick_deletion():
            with quick_deletion():
                pass
            assert gc.get_freeze_count() > 1000
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()


def test_an_error_ends_it_too():
    before = gc.get_freeze_count()

    with pytest.raises(KeyError), quick_deletion():
        raise KeyError

    assert gc.get_freeze_count() == before
