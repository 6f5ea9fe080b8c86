"""quick_deletion: garbage that was there before is not looked at again and again."""

import gc

import pytest

from keras_lm.models.quick_deletion import quick_deletion

pytestmark = pytest.mark.once


def test_what_there_is_is_left_alone_within_it_and_seen_afterwards():
    before = gc.get_freeze_count()

    with quick_deletion():
        assert gc.get_freeze_count() > before + 1000

    assert gc.get_freeze_count() == 0


def test_an_error_ends_it_too():
    with pytest.raises(KeyError), quick_deletion():
        raise KeyError

    assert gc.get_freeze_count() == 0
