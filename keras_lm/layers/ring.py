"""A ring of the newest keys and values, for attention that looks back a fixed way.

A ring is a dictionary of
`key` and `value`, float `(B, K, W, D)`: the position at absolute slot `i` is kept at
`i mod W`, until the one at `i + W` takes its room;
`place`, int32 `(B, W)`: one more than its place in the row (padding not counted); 0
where there is nothing, or padding. So all zeros is the empty ring.
"""

from keras import ops


def start_ring(batch_size, num_heads, window, widths, dtype):
    """The empty ring.

    Args:
        batch_size: int or int scalar tensor, `B`.
        num_heads: int, `K`.
        window: int, `W`.
        widths: dict, such as `{"key": D, "value": Dv}`.
        dtype: str.

    Returns:
        The ring: a dictionary, see the top of this file.
    """
    ring = {
        name: ops.zeros((batch_size, num_heads, window, width), dtype)
        for name, width in widths.items()
    }
    return {**ring, "place": ops.zeros((batch_size, window), "int32")}


def read_ring(ring, index):
    """What is in the ring before slot `index` is written.

    Args:
        ring: see the top of this file.
        index: int32 `()`. The absolute slot that is written next.

    Returns:
        `(arrays, places, slots)`: the keys and values; int32 `(B, W)`, -1 where there
        is nothing; int32 `(W,)`, the absolute slot of each.
    """
    window = ring["place"].shape[1]
    arrays = {name: ring[name] for name in ring if name in ("key", "value")}
    return arrays, ring["place"] - 1, _newest(index, window)


def write_ring(ring, arrays, places, index):
    """The ring after `n` more positions.

    Args:
        ring: see the top of this file.
        arrays: dict, `key` and `value`, float `(B, K, n, D)`.
        places: int32 `(B, n)`, -1 for padding.
        index: int32 `()`. The absolute slot of the first of them.

    Returns:
        The ring: a dictionary, see the top of this file.
    """
    window, num_new = ring["place"].shape[1], ops.shape(places)[1]
    source = _newest(index + num_new, window) - index  # (W,)
    is_new = source >= 0
    source = ops.maximum(source, 0)
    written = {
        name: ops.where(
            ops.reshape(is_new, (1, 1, -1, 1)),
            ops.cast(ops.take(array, source, axis=2), ring[name].dtype),
            ring[name],
        )
        for name, array in arrays.items()
    }
    place = ops.where(is_new, ops.take(places, source, axis=1) + 1, ring["place"])
    return {**written, "place": ops.cast(place, "int32")}


def _newest(index, window):
    """The newest absolute slot below `index` in each room; below 0 there is none."""
    rooms = ops.arange(0, window, dtype="int32")
    return index - 1 - ops.mod(index - 1 - rooms, window)
