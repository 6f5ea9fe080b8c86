"""clock: slots, positions and what each new position sees, padding anywhere."""

import numpy as np
from keras import ops

from keras_lm.layers import Now, advance_clock, start_clock
from tests.checks import assert_close


def test_a_case_done_by_hand():
    # Two rows, five slots; the second row is padded on the left. First three
    # positions, then one, which is padding for the first row.
    clock = start_clock(2, 5)
    assert_close(clock["visible"], np.zeros((2, 5)))

    clock, now = advance_clock(clock, 3, np.array([[1, 1, 1], [0, 0, 1]], "bool"))

    assert isinstance(now, Now)
    assert_close(now.index, 0)
    assert_close(now.position_ids, [[0, 1, 2], [0, 0, 0]])
    assert_close(
        now.attention_mask[:, 0],
        [
            [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]],
            [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]],
        ],
    )

    clock, now = advance_clock(clock, 1, np.array([[0], [1]], "bool"))

    assert_close(now.index, 3)
    assert_close(now.position_ids[1], [1])
    assert_close(now.attention_mask[:, 0], [[[1, 1, 1, 0, 0]], [[0, 0, 1, 1, 0]]])
    assert_close(clock["index"], 4)
    assert_close(clock["length"], [3, 2])
    assert_close(clock["visible"], [[1, 1, 1, 0, 0], [0, 0, 1, 1, 0]])


def test_no_mask_means_all_real():
    clock, now = advance_clock(start_clock(3, 7), 2)
    masked, same = advance_clock(start_clock(3, 7), 2, np.ones((3, 2), "bool"))

    assert_close(now.attention_mask, same.attention_mask)
    assert_close(ops.broadcast_to(now.position_ids, (3, 2)), same.position_ids)
    assert now.padding_mask is None
    for name in clock:
        assert_close(clock[name], masked[name])


def test_a_mask_may_be_numbers():
    real = np.array([[0, 1, 1], [1, 0, 1]])

    for dtype in ("bool", "int32", "float32"):
        clock, now = advance_clock(start_clock(2, 5), 3, real.astype(dtype))

        assert_close(clock["length"], [2, 2])
        assert_close(clock["visible"][:, :3], real)
        assert_close(now.attention_mask[:, 0, 2, :3], real)


def test_in_pieces_equals_at_once():
    real = np.random.default_rng(seed=0).random((2, 7)) < 0.6
    whole, all_now = advance_clock(start_clock(2, 11), 7, real)

    clock, positions, seen = start_clock(2, 11), [], []
    for piece in np.split(real, [2, 3], axis=1):
        clock, now = advance_clock(clock, piece.shape[1], piece)
        positions.append(ops.convert_to_numpy(now.position_ids) * piece)
        seen.append(ops.convert_to_numpy(now.attention_mask))

    for name in clock:
        assert_close(clock[name], whole[name])
    expected = ops.convert_to_numpy(all_now.position_ids) * real
    assert_close(np.concatenate(positions, axis=1), expected)
    # A slot that is written later is not seen earlier, at once or in pieces.
    assert_close(np.concatenate(seen, axis=2), all_now.attention_mask)
