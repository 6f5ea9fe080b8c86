"""One beam search, step by step: plain `keras.ops`, for every loop and every exporter.

A search of `B` rows has `G` groups in each row, and `K` beams in each group. A group is
a search of its own, so most arrays have `R = B * G` rows; the model sees `R * K`. Plain
beam search has one group. The search is carried in a dictionary of
`state`: the model's state, of `R * K` rows;
`history`, int32 `(R, K, L)`: token ids by slot, the newest included;
`token`, int32 `(R, K)`: the newest token of each beam, not yet shown to the model;
`log_probability`, float32 `(R, K)`: the sum over the new tokens; -inf marks a beam that
holds nothing;
`pool`: the best finished hypotheses, `(R, n, ..)`, see `hypotheses`;
`num_ended`, int32 `(R,)`: hypotheses that have finished so far, kept or not;
`step` and `max_step`, int32 `()`: new tokens so far, and at most;
`finished`, bool `(R,)`: the groups that nothing can change any more;
`cut_off`, bool `(R,)`: those of them that could have gone on after the last step;
and, where the source's attention counts, `coverage`, float32 `(R, K, S)`, what each
source position got from all tokens, and `attention`, `(R, K, T, S)`, from each.

The beams of a group come from one prompt and grow by a token each, so their clocks are
equal. The clock and the source are spread over the beams once, after the prompt; a step
gathers `state["rows"]` only.
"""

import functools
import math
from typing import Any

import keras
from keras import ops

from keras_lm import backend
from keras_lm.generation.choose import choose, scored
from keras_lm.generation.decoding import is_stop, seen_by
from keras_lm.generation.hypotheses import joined, keep_best, no_hypotheses
from keras_lm.generation.token_sets import exclude_others


def begin(model, inputs, num_slots, plan):
    """Shows the prompts to the model, once each, and chooses the first tokens.

    Args:
        model: answers the decoding protocol.
        inputs: dictionary of
            `token_ids`, int32 `(B, P)`, and `padding_mask`, bool `(B, P)`: prompts,
            padded on the left;
            `max_new_tokens`, int32 `()`;
            `source`, for an encoder-decoder: what its `initial_state` takes.
        num_slots: int, `L`: room for prompts and new tokens.
        plan: a `Plan`.

    Returns:
        The carry: a dictionary, see the top of this file.
    """
    token_ids, mask = inputs["token_ids"], inputs["padding_mask"]
    batch_size, width = ops.shape(token_ids)
    state = model.initial_state(inputs.get("source", batch_size), num_slots)
    logits, state, attention = _step(model, token_ids, state, plan, mask)
    new = ops.zeros((batch_size, num_slots - width), "int32")
    history = ops.concatenate([ops.cast(token_ids, "int32"), new], axis=1)  # (B, L)
    log_probs = _log_probs(logits, history, state, 0, plan)  # (B, V)
    if plan.alternatives:
        log_probs = _nth_best_only(log_probs, plan.num_groups)  # (R, V)
        log_probs = _spread(log_probs, plan.num_beams)
    else:
        log_probs = _spread(log_probs, plan.num_groups * plan.num_beams)

    copies = plan.num_groups * plan.num_beams
    num_rows = batch_size * plan.num_groups
    shapes: dict[str, tuple] = {"token_ids": (num_slots - width,)}
    carry = {
        "state": _spread_state(state, copies),
        "history": _by_beam(_spread(history, copies), plan),
        "log_probability": _one_beam(num_rows, plan.num_beams),
        "num_ended": ops.zeros((num_rows,), "int32"),
        "step": ops.zeros((), "int32"),
        "max_step": ops.cast(inputs["max_new_tokens"], "int32"),
        "finished": ops.zeros((num_rows,), "bool"),
    }
    if plan.attends:
        real = ops.cast(ops.expand_dims(mask, 2), "float32")  # (B, P, 1)
        coverage = ops.sum(attention * real, axis=1)  # (B, S)
        carry["coverage"] = _by_beam(_spread(coverage, copies), plan)
    if plan.with_attention:
        shapes["attention"] = (num_slots - width, ops.shape(attention)[2])
        looked = ops.zeros((num_rows * plan.num_beams, *shapes["attention"]))
        newest = _spread(attention[:, -1:], copies)  # (R * K, 1, S)
        looked = backend.write_slots(looked, newest, carry["step"], axis=1)
        carry["attention"] = _by_beam(looked, plan)
    carry["pool"] = no_hypotheses(num_rows, plan.num_kept, shapes)
    return choose(carry, _by_beam(log_probs, plan), plan)


def advance(model, carry, plan):
    """Shows the newest tokens to the model and chooses the next.

    Args:
        model: answers the decoding protocol.
        carry: as `begin` or `advance` gave it; it is used up.
        plan: a `Plan`.

    Returns:
        The carry after the step.
    """
    shown = ops.reshape(carry["token"], (-1, 1))  # (R * K, 1)
    logits, state, attention = _step(model, shown, carry["state"], plan)
    carry = {**carry, "state": state}
    history = _flat(carry["history"])
    log_probs = _log_probs(logits, history, state, carry["step"], plan)
    if plan.attends:
        carry["coverage"] = carry["coverage"] + _by_beam(attention[:, 0], plan)
    if plan.with_attention:
        looked = _flat(carry["attention"])
        looked = backend.write_slots(looked, attention, carry["step"], axis=1)
        carry["attention"] = _by_beam(looked, plan)
    return choose(carry, _by_beam(log_probs, plan), plan)


def end(carry, plan):
    """The answer: the best of the finished hypotheses and of those cut off.

    What went on in a group that had finished before the last step is no answer.

    Args:
        carry: as `begin` or `advance` gave it.
        plan: a `Plan`.

    Returns:
        Hypotheses of `B` rows, best first: a dictionary, see `hypotheses`, with
        `finished`, bool `(B, N)`. Empty places hold the first stop token, or 0.
    """
    pool = {**carry["pool"], "finished": ops.isfinite(carry["pool"]["score"])}
    num_new = ops.shape(pool["token_ids"])[2]
    score = scored(carry, carry["log_probability"], carry["step"], plan)  # (R, K)
    live = {
        "score": ops.where(ops.expand_dims(carry["cut_off"], 1), score, -math.inf),
        "token_ids": carry["history"][:, :, -num_new:],
        "finished": ops.zeros_like(carry["log_probability"], dtype="bool"),
    }
    if plan.with_attention:
        live["attention"] = carry["attention"]
    found = keep_best(joined(pool, live), plan.num_kept)  # (R, n, ..)
    number = plan.num_groups * plan.num_kept
    found = {
        name: ops.reshape(array, (-1, number, *ops.shape(array)[2:]))
        for name, array in found.items()
    }
    found = keep_best(found, number)  # (B, N, ..)
    is_empty = ops.expand_dims(ops.logical_not(ops.isfinite(found["score"])), 2)
    filler = (*plan.stop_token_ids, 0)[0]
    return {**found, "token_ids": ops.where(is_empty, filler, found["token_ids"])}


def bind(plan):
    """`begin`, `advance` and `end` with the plan filled in."""
    return tuple(functools.partial(part, plan=plan) for part in (begin, advance, end))


def _step(model, token_ids, state, plan, padding_mask=None) -> tuple[Any, Any, Any]:
    """Logits `(rows, V)` of the next token, the state, and attention or `None`."""
    if plan.attends:
        logits, state, attention = model.step_with_attention(
            token_ids, state, padding_mask, last_only=True
        )
        return logits[:, -1], state, ops.cast(attention, "float32")
    logits, state = model.step(token_ids, state, padding_mask, last_only=True)
    return logits[:, -1], state, None


def _log_probs(logits, history, state, step, plan):
    """What the sampler makes of the logits, as log-probabilities `(rows, V)`."""
    visible = seen_by(plan.sampler, history, state, plan.stop_token_ids)
    if plan.has_start:
        visible = ops.logical_and(visible, _behind_the_start(state["clock"]))
    logits = plan.sampler(logits, history, visible)
    if plan.min_new_tokens > 1 and plan.stop_token_ids:
        tokens = ops.arange(0, logits.shape[-1], dtype="int32")
        goes_on = ops.logical_not(is_stop(tokens, plan.stop_token_ids))  # (V,)
        is_long = ops.convert_to_tensor(step + 1 >= plan.min_new_tokens)
        logits = exclude_others(logits, ops.logical_or(goes_on, is_long))
    return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)


def _behind_the_start(clock):
    """All slots behind the first token of each row, bool `(rows, L)`: padding is left.

    A start token was not said. Where it is the stop token, too, a sampler that punishes
    what was said would keep hypotheses from ending.
    """
    first = ops.expand_dims(clock["index"] - clock["length"], 1)
    slots = ops.arange(0, ops.shape(clock["visible"])[1], dtype="int32")
    return slots > first


def _nth_best_only(log_probs, number):
    """For each of the `number` best tokens a row in which no other is possible."""
    _, index = ops.top_k(log_probs, number)  # (B, G)
    vocabulary_size = log_probs.shape[1]
    is_nth = ops.one_hot(index, vocabulary_size, dtype="float32") > 0  # (B, G, V)
    only = ops.where(is_nth, ops.expand_dims(log_probs, 1), -math.inf)
    return ops.reshape(only, (-1, vocabulary_size))


def _one_beam(num_rows, num_beams):
    """Log-probabilities before the first token: the beams are one and the same."""
    first = ops.where(ops.arange(0, num_beams, dtype="int32") > 0, -math.inf, 0.0)
    return ops.zeros((num_rows, 1)) + ops.cast(first, "float32")


def _spread_state(state, copies):
    clock = {
        name: array if name == "index" else _spread(array, copies)
        for name, array in state["clock"].items()
    }
    spread = {
        name: keras.tree.map_structure(lambda leaf: _spread(leaf, copies), part)
        for name, part in state.items()
        if name != "clock"
    }
    return {**spread, "clock": clock}


def _spread(array, copies):
    """Each row as often as there are beams: `(B, ..)` to `(B * copies, ..)`.

    To take them is to copy them. On PyTorch one row that is repeated is a view, of
    memory that is there once; the cache of a beam would be that of all.
    """
    rows = ops.arange(ops.shape(array)[0], dtype="int32")
    return ops.take(array, ops.repeat(rows, copies), axis=0)


def _by_beam(array, plan):
    """`(R * K, ..)` to `(R, K, ..)`."""
    return ops.reshape(array, (-1, plan.num_beams, *ops.shape(array)[1:]))


def _flat(array):
    """`(R, K, ..)` to `(R * K, ..)`."""
    return ops.reshape(array, (-1, *ops.shape(array)[2:]))
