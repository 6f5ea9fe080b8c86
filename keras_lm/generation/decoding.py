"""One decode, step by step: plain `keras.ops`, for every loop and every exporter.

A decode is carried in a dictionary of
`state`: the model's state;
`history`, int32 `(B, L)`: token ids by slot, for the samplers;
`token`, int32 `(B,)`: the newest token, not yet shown to the model;
`finished`, bool `(B,)`: the rows that have ended. They repeat their stop token.
"""

import functools

from keras import ops

from keras_lm import backend
from keras_lm.generation.samplers import greedy


def begin(model, token_ids, padding_mask, num_slots, noise, sampler, stop_token_ids):
    """Shows the prompts to the model and draws the first token of each row.

    Args:
        model: answers the decoding protocol.
        token_ids: int32 `(B, P)`. Prompts, padded on the left.
        padding_mask: bool `(B, P)`. `True` = real; the last column is.
        num_slots: int or int scalar tensor, `L`: room for prompts and new tokens.
        noise: `noise(shape)` gives Gumbel noise.
        sampler: see `samplers`.
        stop_token_ids: tuple of int. Tokens that end a row.

    Returns:
        The carry: a dictionary, see the top of this file.
    """
    batch_size = ops.shape(token_ids)[0]
    state = model.initial_state(batch_size, num_slots)
    logits, state = model.step(token_ids, state, padding_mask, last_only=True)
    history = ops.zeros((batch_size, num_slots), "int32")
    history = backend.write_slots(history, token_ids, ops.zeros((), "int32"), axis=1)
    visible = seen_by(sampler, history, state, stop_token_ids)
    token = _draw(logits[:, -1], history, visible, sampler, noise)
    return {
        "state": state,
        "history": history,
        "token": token,
        "finished": is_stop(token, stop_token_ids),
    }


def advance(model, carry, noise, sampler, stop_token_ids):
    """Shows the newest token to the model and draws the next.

    Args:
        model: answers the decoding protocol.
        carry: as `begin` or `advance` gave it; it is used up.
        noise: `noise(shape)` gives Gumbel noise.
        sampler: see `samplers`.
        stop_token_ids: tuple of int. Tokens that end a row.

    Returns:
        The carry after the step.
    """
    shown = ops.expand_dims(carry["token"], 1)  # (B, 1)
    index = carry["state"]["clock"]["index"]
    history = backend.write_slots(carry["history"], shown, index, axis=1)
    logits, state = model.step(shown, carry["state"])
    visible = seen_by(sampler, history, state, stop_token_ids)
    token = _draw(logits[:, -1], history, visible, sampler, noise)
    token = ops.where(carry["finished"], carry["token"], token)
    finished = ops.logical_or(carry["finished"], is_stop(token, stop_token_ids))
    return {"state": state, "history": history, "token": token, "finished": finished}


def bind(sampler, stop_token_ids):
    """`begin` and `advance` with the sampler and the stop tokens filled in."""
    chosen = {"sampler": sampler, "stop_token_ids": stop_token_ids}
    return functools.partial(begin, **chosen), functools.partial(advance, **chosen)


def is_stop(token, stop_token_ids):
    """Marks the stop tokens: int32 of any shape to bool of that shape."""
    stops = ops.zeros_like(token, dtype="bool")
    for stop in stop_token_ids:
        stops = ops.logical_or(stops, ops.equal(token, stop))
    return stops


def seen_by(sampler, history, state, stop_token_ids):
    """Which slots a sampler sees: the real tokens, but no stop tokens.

    A stop token that stands before the new ones was not said by who has yet to end: a
    text begins after the token that also ends it, and so does each turn of a chat. A
    sampler that punishes what is there would keep rows from ending.

    Args:
        sampler: see `samplers`; greedy ones look at nothing.
        history: int32 `(B, L)`.
        state: the model's state.
        stop_token_ids: tuple of int.

    Returns:
        bool `(B, L)`.
    """
    visible = state["clock"]["visible"]
    if not stop_token_ids or sampler is greedy():
        return visible
    return ops.logical_and(visible, ops.logical_not(is_stop(history, stop_token_ids)))


def _draw(logits, history, visible, sampler, noise):
    logits = sampler(logits, history, visible)
    if not getattr(sampler, "is_greedy", False):
        logits = logits + noise(ops.shape(logits))
    return ops.cast(ops.argmax(logits, axis=-1), "int32")
