"""The ring: what it keeps, what it overwrites, what it says of empty rooms."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers.ring import read_ring, start_ring, write_ring
from tests.checks import examples

WIDTHS = {"key": 3, "value": 2}


def pieces(lengths):
    """Arrays whose numbers are their absolute slot."""
    start = 0
    for length in lengths:
        slots = np.arange(start, start + length, dtype="float32")
        arrays = {
            name: np.tile(slots[None, None, :, None], (1, 1, 1, width))
            for name, width in WIDTHS.items()
        }
        yield start, arrays, slots[None].astype("int32")
        start += length


@examples(20)
@given(st.integers(1, 5), st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_the_newest_positions_are_kept_each_at_its_slot(window, lengths):
    ring = start_ring(1, 1, window, WIDTHS, "float32")
    for start, arrays, places in pieces(lengths):
        ring = write_ring(ring, arrays, places, ops.convert_to_tensor(start, "int32"))
    total = sum(lengths)

    arrays, places, slots = read_ring(ring, ops.convert_to_tensor(total, "int32"))

    slots, places = ops.convert_to_numpy(slots), ops.convert_to_numpy(places)[0]
    there = places >= 0
    assert sorted(slots[there]) == list(range(max(total - window, 0), total))
    np.testing.assert_array_equal(places[there], slots[there])
    for name in WIDTHS:
        kept = ops.convert_to_numpy(arrays[name])[0, 0, :, 0]
        np.testing.assert_array_equal(kept[there], slots[there])


def test_padding_takes_room_and_is_not_there():
    ring = start_ring(1, 1, 3, WIDTHS, "float32")
    _, arrays, _ = next(pieces([2]))
    places = np.array([[-1, 0]], "int32")

    ring = write_ring(ring, arrays, places, ops.convert_to_tensor(0, "int32"))

    _, places, slots = read_ring(ring, ops.convert_to_tensor(2, "int32"))
    found = dict(zip(ops.convert_to_numpy(slots), ops.convert_to_numpy(places)[0]))
    assert found == {0: -1, 1: 0, -1: -1}


def test_all_zeros_is_the_empty_ring():
    ring = start_ring(2, 1, 3, WIDTHS, "float32")
    assert all(not ops.convert_to_numpy(array).any() for array in ring.values())
    _, places, _ = read_ring(ring, ops.convert_to_tensor(0, "int32"))
    assert (ops.convert_to_numpy(places) == -1).all()
