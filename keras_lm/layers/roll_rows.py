"""Rolls each row of a batch by a shift of its own, to let all texts start at slot 0."""

from keras import ops


def roll_rows(array, shift, axis=2):
    """Moves row `b` to the left by `shift[b]`; what falls off comes in at the right.

    A row's gather in one piece: its cost is a copy, its gradient the roll back.

    Args:
        array: `(B, .., T, ..)`, with `T` on `axis`.
        shift: int32 `(B,)`, 0 to `T`; `None` rolls nothing.
        axis: int, at least 1.

    Returns:
        like `array`.
    """
    if shift is None:
        return array
    shape = ops.shape(array)
    length, rows = shape[axis], 1
    for size in shape[1:axis]:
        rows = rows * size
    places = ops.arange(0, length, dtype="int32") + ops.reshape(shift, (-1, 1, 1))
    first = ops.arange(0, shape[0] * rows, dtype="int32") * length
    source = ops.mod(places, length) + ops.reshape(first, (-1, rows, 1))
    flat = ops.reshape(array, (shape[0] * rows * length, *shape[axis + 1 :]))
    rolled = ops.take(flat, ops.reshape(source, (-1,)), axis=0)
    return ops.reshape(rolled, shape)


def unroll_rows(array, shift, axis=2):
    """Undoes `roll_rows`, with 0 in the first `shift[b]` places of row `b`.

    Args:
        array: `(B, .., T, ..)`, with `T` on `axis`.
        shift: int32 `(B,)`, 0 to `T`; `None` rolls nothing.
        axis: int, at least 1.

    Returns:
        like `array`.
    """
    if shift is None:
        return array
    length = ops.shape(array)[axis]
    rolled = roll_rows(array, length - shift, axis)
    shape = [1] * len(array.shape)
    shape[axis] = -1
    places = ops.reshape(ops.arange(0, length, dtype="int32"), shape)
    shape = [1] * len(array.shape)
    shape[0] = -1
    is_text = places >= ops.reshape(shift, shape)
    return ops.where(is_text, rolled, ops.cast(0, rolled.dtype))


def count_leading_hidden(mask):
    """How many positions stand before each row's first visible one.

    Args:
        mask: bool `(B, T)`, or `None`.

    Returns:
        int32 `(B,)`, `T` where nothing is visible; `None` for `None`.
    """
    if mask is None:
        return None
    seen = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    return ops.sum(ops.cast(ops.equal(seen, 0), "int32"), axis=1)
