"""blocks: cutting against a loop, joining undoes it, in turn equals all at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm import backend
from keras_lm.layers.blocks import cut_blocks, each_block, join_blocks
from tests.checks import assert_close, compiled, examples, gradients

rng = np.random.default_rng(seed=0)


def test_a_case_done_by_hand():
    # Five steps in blocks of 2, one block before each; -1 where there is nothing.
    array = ops.reshape(ops.arange(5, dtype="int32"), (1, 1, 5, 1))

    blocks = cut_blocks(array, 2, before=1, fill=-1)

    expected = [[-1, -1, 0, 1], [0, 1, 2, 3], [2, 3, 4, -1]]
    assert_close(ops.reshape(blocks, (3, 4)), expected, tolerance=0)


@examples(20)
@given(*(st.integers(*ends) for ends in ((1, 13), (1, 5), (0, 2), (0, 2))))
def test_cutting_equals_a_loop_and_joining_undoes_it(length, size, before, after):
    array = rng.normal(size=(2, 3, length, 1)).astype("float32")
    tensor = ops.convert_to_tensor(array)

    blocks = ops.convert_to_numpy(cut_blocks(tensor, size, before, after, fill=7))

    num_blocks = -(-length // size)
    assert blocks.shape == (num_blocks, 2, 3, (before + 1 + after) * size, 1)
    for block in range(num_blocks):
        for column in range(blocks.shape[3]):
            step = (block - before) * size + column
            inside = 0 <= step < length
            expected = array[:, :, step] if inside else np.full((2, 3, 1), 7.0)
            assert_close(blocks[block, :, :, column], expected, tolerance=0)
    assert_close(join_blocks(cut_blocks(tensor, size), length), array, tolerance=0)


LEFT = rng.normal(size=(9, 2, 3, 5)).astype("float32")  # nine blocks: enough
RIGHT = rng.normal(size=(9, 2, 5, 4)).astype("float32")


def product(left, right):
    return ops.tanh(ops.matmul(left, right))


@pytest.mark.parametrize("gains", [True, False])
def test_in_turn_and_at_once_are_the_same_with_their_gradients(gains, monkeypatch):
    monkeypatch.setattr(backend, "gains_in_turn", lambda: gains)
    expected = np.tanh(LEFT @ RIGHT)
    call = compiled(lambda left, right: each_block(product, (left, right)))
    assert_close(call(*map(ops.convert_to_tensor, (LEFT, RIGHT))), expected)

    def total(left, right):
        return ops.sum(each_block(product, (left, right)) ** 2)

    def twin(left, right):
        return ops.sum(product(left, right) ** 2)

    found, wanted = (gradients(f, (LEFT, RIGHT)) for f in (total, twin))
    for actual, gradient in zip(found[1], wanted[1], strict=True):
        assert np.abs(gradient).max() > 0
        assert_close(actual, gradient)


def spied(monkeypatch):
    """How many blocks `map_recomputed` was given at each of its calls."""
    given, real = [], backend.map_recomputed

    def spy(function, chunks, shared):
        given.append(chunks[0].shape[0])
        return real(function, chunks, shared)

    monkeypatch.setattr(backend, "map_recomputed", spy)
    return given


@pytest.mark.parametrize(
    ("num_blocks", "gains", "in_turn", "expected"),
    [
        (9, True, True, [9]),
        (9, False, True, []),
        (9, True, False, []),
        (7, True, True, []),
    ],
)
def test_when_blocks_are_taken_in_turn(
    num_blocks, gains, in_turn, expected, monkeypatch
):
    monkeypatch.setattr(backend, "gains_in_turn", lambda: gains)
    given = spied(monkeypatch)
    arrays = tuple(ops.convert_to_tensor(x[:num_blocks]) for x in (LEFT, RIGHT))

    result = each_block(product, arrays, in_turn)

    assert given == expected
    assert_close(result, np.tanh(LEFT @ RIGHT)[:num_blocks])
