"""The clock of a decode: what has been written, and where the next step goes.

One clock serves all layers of a model. It is a dictionary of
`index`, int32 `()`: the slot that is written next, the same for the whole batch;
`length`, int32 `(B,)`: real tokens that each row has seen, so that a row's position
ids do not depend on the padding of the others;
`visible`, bool `(B, L)`: the slots that hold real tokens.
"""

from typing import Any, NamedTuple

from keras import ops

from keras_lm import backend
from keras_lm.layers.masks import both


class Now(NamedTuple):
    """What the layers need to know of one step of `n` positions.

    Shapes: `B` batch, `n` new positions, `L` slots.

    Args:
        index: int32 `()`. The slot of the first new position.
        position_ids: int32 `(B, n)`. Places in each row, padding not counted.
        padding_mask: bool `(B, n)` or `None`. `True` = real.
        attention_mask: bool `(B, 1, n, L)`. Which slots each new position sees.
    """

    index: Any
    position_ids: Any
    padding_mask: Any
    attention_mask: Any


def start_clock(batch_size, max_length):
    """The clock before the first token.

    Args:
        batch_size: int or int scalar tensor, `B`.
        max_length: int, `L`. Number of slots, padding included.

    Returns:
        The clock: a dictionary, see the top of this file.

    Raises:
        ValueError: a source was given in place of the batch size.
    """
    if isinstance(batch_size, dict):
        raise ValueError(
            "A decoder must begin with the batch size; it has no source, and its beam "
            "search no `start_token_id`. Received: a source of "
            f"{', '.join(map(repr, sorted(batch_size)))}"
        )
    return {
        "index": ops.zeros((), dtype="int32"),
        "length": ops.zeros((batch_size,), dtype="int32"),
        "visible": ops.zeros((batch_size, max_length), dtype="bool"),
    }


def advance_clock(clock, num_positions, padding_mask=None):
    """Moves the clock on by `n` positions.

    Args:
        clock: as `start_clock` gives it.
        num_positions: int or int scalar tensor, `n`.
        padding_mask: bool `(B, n)` or `None`. `True` = real.

    Returns:
        `(clock, now)`: the clock after the step, and what the layers need for it.
    """
    index, visible = clock["index"], clock["visible"]
    offsets = ops.arange(0, num_positions, dtype="int32")  # (n,)
    slots = ops.arange(0, ops.shape(visible)[1], dtype="int32")  # (L,)
    written = both(
        ops.expand_dims(slots, 0) >= index,
        ops.expand_dims(slots, 0) < index + num_positions,
    )  # (1, L)
    if padding_mask is None:
        places = ops.expand_dims(offsets, 0)  # (1, n)
        num_real = num_positions
    else:
        padding_mask = ops.cast(padding_mask, "bool")
        real = ops.cast(padding_mask, "int32")
        places = ops.maximum(ops.cumsum(real, axis=1) - 1, 0)  # (B, n)
        num_real = ops.sum(real, axis=1)  # (B,)
        written = _spread(padding_mask, index, visible)
    visible = ops.logical_or(visible, written)
    causal = ops.expand_dims(slots, 0) <= ops.expand_dims(index + offsets, 1)  # (n, L)
    seen = both(ops.expand_dims(visible, 1), ops.expand_dims(causal, 0))  # (B, n, L)
    now = Now(
        index=index,
        position_ids=ops.expand_dims(clock["length"], 1) + places,
        padding_mask=padding_mask,
        attention_mask=ops.expand_dims(seen, 1),
    )
    moved = {
        "index": index + num_positions,
        "length": clock["length"] + num_real,
        "visible": visible,
    }
    return moved, now


def _spread(padding_mask, index, visible):
    """Lays `padding_mask (B, n)` at slot `index` of a bool array like `visible`."""
    empty = ops.zeros_like(visible)
    return backend.write_slots(empty, padding_mask, index, axis=1)
