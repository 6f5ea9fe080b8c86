"""A sequence cut into blocks, each with its neighbours, and what is done to each."""

from keras import ops

from keras_lm import backend

# From so many blocks on they are taken in turn, where the backend gains by it.
IN_TURN_FROM = 8


def cut_blocks(array, size, before=0, after=0, fill=0):
    """Cuts the steps into blocks of `size`, each with the blocks beside it.

    Shapes: `B` batch, `H` heads, `T` steps, `D` width, `N = ceil(T / size)` blocks,
    `L = (before + 1 + after) size`.

    Args:
        array: `(B, H, T, D)`.
        size: int, at least 1.
        before: int. So many blocks are put in front of each.
        after: int. So many behind it.
        fill: number. What stands where there is no step.

    Returns:
        `(N, B, H, L, D)`.
    """
    num_steps = ops.shape(array)[2]
    num_blocks = (num_steps + size - 1) // size
    missing = num_blocks * size - num_steps
    width = ((0, 0), (0, 0), (before * size, missing + after * size), (0, 0))
    array = ops.pad(array, width, constant_values=fill)
    shape = (-1, array.shape[1], before + num_blocks + after, size, array.shape[3])
    blocks = ops.transpose(ops.reshape(array, shape), (2, 0, 1, 3, 4))
    if before + after == 0:
        return blocks
    shifted = [blocks[n : n + num_blocks] for n in range(before + 1 + after)]
    return ops.concatenate(shifted, axis=3)


def join_blocks(blocks, num_steps):
    """`(N, B, H, size, D)` side by side again: `(B, H, T, D)`."""
    heads, size, width = blocks.shape[2:]
    array = ops.transpose(blocks, (1, 2, 0, 3, 4))
    array = ops.reshape(array, (-1, heads, ops.shape(blocks)[0] * size, width))
    return array[:, :, :num_steps]


def each_block(function, arrays, in_turn=True):
    """`function` of every block: of all at once, folded into the batch, or in turn.

    In turn memory holds the inside of one block at a time, also for the gradient,
    which computes it again. Blocks whose number is not known are taken at once.

    Args:
        function: of arrays `(B, ...)` to one array `(B, ...)`.
        arrays: tuple of `(N, B, ...)`.
        in_turn: bool. Whether they may be taken in turn; not if `function` draws
            random numbers.

    Returns:
        `(N, B, ...)`.
    """
    num_blocks = arrays[0].shape[0]
    is_known = isinstance(num_blocks, int)
    if in_turn and is_known and num_blocks >= IN_TURN_FROM and backend.gains_in_turn():
        return backend.map_recomputed(lambda block, _: function(*block), arrays, ())
    folded = [ops.reshape(array, (-1, *ops.shape(array)[2:])) for array in arrays]
    result = function(*folded)
    shape = (ops.shape(arrays[0])[0], -1, *ops.shape(result)[1:])
    return ops.reshape(result, shape)
