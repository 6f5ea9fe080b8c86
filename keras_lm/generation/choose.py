"""One step of beam search after the model has answered: which beams go on, which end.

The carry is described in `beams`. `R` groups, `K` beams, `V` vocabulary; `W`
candidates, the best continuations of a group.
"""

import math

import keras
from keras import ops

from keras_lm.generation.decoding import is_stop
from keras_lm.generation.hypotheses import (
    coverage_score,
    flat_index,
    joined,
    keep_best,
    normalized,
    pick,
)
from keras_lm.generation.token_sets import EXCLUDED_GAP


def choose(carry, log_probs, plan):
    """Moves every group on by a token.

    Args:
        carry: see `beams`, before the step; `token` is not looked at.
        log_probs: float32 `(R, K, V)`. Of the next token, after each beam.
        plan: a `Plan`.

    Returns:
        The carry after the step.
    """
    vocabulary_size = log_probs.shape[2]
    total = ops.expand_dims(carry["log_probability"], 2) + log_probs  # (R, K, V)
    # What a sampler has excluded is no hypothesis.
    total = ops.where(total < -EXCLUDED_GAP / 2, -math.inf, total)
    index, goes_on = _candidates(total, plan)
    total = ops.reshape(total, (-1, plan.num_beams * vocabulary_size))
    total = ops.take_along_axis(total, index, axis=1)  # (R, W)
    beam, token = index // vocabulary_size, index % vocabulary_size
    stops = is_stop(token, plan.stop_token_ids)
    carry = _pooled(carry, beam, token, ops.where(stops, total, -math.inf), plan)

    total = pick(ops.where(stops, -math.inf, total), goes_on)  # (R, K)
    carry = _gathered(carry, pick(beam, goes_on), pick(token, goes_on))
    carry = {**carry, "log_probability": total, "step": carry["step"] + 1}
    finished, is_last = _finished(carry, plan), carry["step"] >= carry["max_step"]
    cut_off = ops.logical_and(is_last, ops.logical_not(finished))
    return {**carry, "finished": ops.logical_or(finished, is_last), "cut_off": cut_off}


def scored(carry, log_probability, length, plan):
    """Scores by which hypotheses of different lengths are compared.

    Args:
        carry: see `beams`.
        log_probability: float32 `(R, K)`. Sums over the new tokens of each beam.
        length: int32 `()`. How many these are.
        plan: a `Plan`.

    Returns:
        float32 `(R, K)`.
    """
    score = normalized(log_probability, length, plan.length_penalty)
    if not plan.coverage_penalty:
        return score
    num_rows, num_beams, num_source = ops.shape(carry["coverage"])
    real = carry["state"]["source"]["padding_mask"]  # (R * K, S)
    coverage = ops.reshape(carry["coverage"], (-1, num_source))
    loss = coverage_score(coverage, real, plan.coverage_penalty)
    return score + ops.reshape(loss, (num_rows, num_beams))


def _candidates(total, plan):
    """The best continuations of each group, and those of them that go on.

    So many are taken that, of the best, `K` go on even if each beam ends in every way.

    Args:
        total: float32 `(R, K, V)`. Log-probabilities of the continued hypotheses.
        plan: a `Plan`.

    Returns:
        `(index, goes_on)`: int32 `(R, W)`, places in `K * V`, best first; int32
        `(R, K)`, places in `W`.
    """
    if plan.num_groups == 1 or not plan.diversity_penalty:
        return _best_candidates(total, plan)
    _, num_beams, vocabulary_size = ops.shape(total)
    by_group = ops.reshape(total, (-1, plan.num_groups, num_beams, vocabulary_size))
    taken = ops.zeros_like(by_group[:, 0, :1])  # (B, 1, V): how often, so far
    found = []
    for group in range(plan.num_groups):
        less = by_group[:, group] - plan.diversity_penalty * taken
        index, goes_on = _best_candidates(less, plan)
        found.append((index, goes_on))
        taken = taken + _count_chosen(less, index, goes_on, plan)
    index, goes_on = (ops.stack(parts, axis=1) for parts in zip(*found, strict=True))
    return (
        ops.reshape(index, (-1, index.shape[2])),  # (R, W)
        ops.reshape(goes_on, (-1, num_beams)),
    )


def _best_candidates(total, plan):
    num_beams, vocabulary_size = total.shape[1:]
    size = num_beams * vocabulary_size
    width = min(num_beams * (1 + len(plan.stop_token_ids)), size)
    best, index = ops.top_k(ops.reshape(total, (-1, size)), width)  # (R, W)
    index = ops.cast(index, "int32")
    stops = is_stop(index % vocabulary_size, plan.stop_token_ids)
    _, goes_on = ops.top_k(ops.where(stops, -math.inf, best), num_beams)
    return index, ops.cast(goes_on, "int32")


def _count_chosen(total, index, goes_on, plan):
    """How often each token goes on or ends a hypothesis: float32 `(B, 1, V)`."""
    _, num_beams, vocabulary_size = ops.shape(total)
    best = index[:, :num_beams]
    ends = is_stop(best % vocabulary_size, plan.stop_token_ids)
    counts = ops.concatenate([ends, ops.ones_like(goes_on, dtype="bool")], axis=1)
    places = ops.concatenate([best, pick(index, goes_on)], axis=1)  # (B, 2 K)
    values = ops.reshape(total, (-1, num_beams * vocabulary_size))
    values = ops.take_along_axis(values, places, axis=1)
    counts = ops.cast(ops.logical_and(counts, ops.isfinite(values)), "float32")
    one_hot = ops.one_hot(places % vocabulary_size, vocabulary_size, dtype="float32")
    return ops.sum(ops.expand_dims(counts, 2) * one_hot, axis=1, keepdims=True)


def _pooled(carry, beam, token, total, plan):
    """Takes up what has finished: stop tokens among the best `K` candidates.

    A stop token further down has no place in the beam; more than `K` are looked at only
    to find `K` that go on. So a beam of 1 is greedy.

    Args:
        carry: see `beams`, before the step.
        beam: int32 `(R, W)`. Where each candidate comes from.
        token: int32 `(R, W)`. What it adds.
        total: float32 `(R, W)`. -inf where it goes on.
        plan: a `Plan`.

    Returns:
        The carry with another pool.
    """
    beam, token, total = (x[:, : plan.num_beams] for x in (beam, token, total))
    total = ops.where(ops.expand_dims(carry["finished"], 1), -math.inf, total)
    pool, num_new = carry["pool"], ops.shape(carry["pool"]["token_ids"])[2]
    loss = scored(carry, ops.zeros_like(total), carry["step"], plan)  # of coverage
    score = normalized(total, carry["step"] + 1, plan.length_penalty)
    new = {
        "score": score + pick(loss, beam),
        "token_ids": _extended(carry, beam, token)[:, :, -num_new:],
    }
    if plan.with_attention:
        new["attention"] = pick(carry["attention"], beam)
    ended = ops.sum(ops.cast(ops.isfinite(total), "int32"), axis=1)
    return {
        **carry,
        "pool": keep_best(joined(pool, new), plan.num_kept),
        "num_ended": carry["num_ended"] + ended,
    }


def _gathered(carry, beam, token):
    """The beams `(R, K)` that go on: each from one before it, with a token more."""
    num_rows, num_beams = ops.shape(beam)
    carry = {**carry, "token": token, "history": _extended(carry, beam, token)}
    if num_beams == 1:
        return carry
    places = ops.reshape(flat_index(beam, num_rows, num_beams), (-1,))  # (R * K,)
    rows = keras.tree.map_structure(
        lambda leaf: ops.take(leaf, places, axis=0), carry["state"]["rows"]
    )
    looked = {
        name: pick(carry[name], beam)
        for name in ("attention", "coverage")
        if name in carry
    }
    return {**carry, **looked, "state": {**carry["state"], "rows": rows}}


def _extended(carry, beam, token):
    """Histories `(R, m, L)` of beams with one more token.

    It is written into all slots to the right: a stop token repeats itself.
    """
    history = pick(carry["history"], beam)
    num_slots = ops.shape(history)[2]
    num_new = ops.shape(carry["pool"]["token_ids"])[2]
    slots = ops.arange(0, num_slots, dtype="int32")
    is_before = slots < num_slots - num_new + carry["step"]
    return ops.where(is_before, history, ops.expand_dims(token, 2))


def _finished(carry, plan):
    """The groups that are done: nothing that goes on can beat what they keep.

    Or enough have ended, and the best of them is better than what goes on, as it
    stands. Without the latter a hypothesis that is nearly certain would lose to short
    ones that nobody believes, only because these end earlier.

    Log-probabilities only fall. So what goes on scores at most what it has, divided as
    for the length that divides best: the longest, or the next if long ones lose by it.
    (After the last step none is longer than it.) Coverage can take nothing back: its
    share is 0 at most.
    """
    best = ops.max(carry["log_probability"], axis=1)  # (R,)
    length = carry["max_step"]
    if plan.length_penalty <= 0:
        length = ops.minimum(carry["step"] + 1, length)
    bound = normalized(best, length, plan.length_penalty)
    is_beaten = bound <= carry["pool"]["score"][:, -1]  # -inf: no beam goes on
    enough = max(plan.num_kept, plan.patience * plan.num_beams)
    has_enough = ops.cast(carry["num_ended"], "float32") >= enough
    ahead = scored(carry, carry["log_probability"], carry["step"], plan)  # (R, K)
    leads = ops.max(ahead, axis=1) > carry["pool"]["score"][:, 0]
    has_enough = ops.logical_and(has_enough, ops.logical_not(leads))
    done = ops.logical_or(is_beaten, has_enough)
    return ops.logical_or(carry["finished"], done)
