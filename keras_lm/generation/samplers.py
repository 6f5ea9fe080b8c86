"""Samplers: plain functions that reshape the logits before a token is drawn.

A sampler is called as `sampler(logits, token_ids, visible)` with float32 logits
`(B, V)` and the history, int32 token ids `(B, L)` and bool `(B, L)`; it returns logits
`(B, V)`. A history slot that is not visible has no influence: padding, and the stop
tokens of a prompt, so that no sampler keeps a row from ending. The decoding loop then
draws a token by its probability, or takes the most likely one when the sampler says
`is_greedy`. A function of your own with these three arguments is a sampler too.

- Excluded tokens get a low finite number, a billion below the best, never -inf.
- A row in which a sampler would exclude every token keeps all of them.
- Equal arguments give the same function object, so that a decoding loop compiled
  for `top_k(50)` is used again by the next `top_k(50)`.
- Shapes are static, so they run in `jax.jit`, in `tf.function` and in a SavedModel.

They compose: `chain(repetition_penalty(1.2), temperature(0.8), top_p(0.9))`. The
order matters: what changes logits comes first, what excludes comes last.
"""

import functools
import inspect
import math

import numpy as np
from keras import ops

from keras_lm.generation.token_sets import (
    EXCLUDED_GAP,
    exclude_others,
    most_likely,
    ngram_completions,
    tokens_in,
)


def _same_object_for_equal_arguments(factory):
    signature = inspect.signature(factory)
    remembered = functools.cache(lambda arguments: factory(*arguments))

    @functools.wraps(factory)
    def make(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return remembered(bound.args)

    return make


@_same_object_for_equal_arguments
def greedy():
    """Takes the most likely token, always."""
    return _sampler("greedy()", lambda logits, token_ids, visible: logits, True)


@_same_object_for_equal_arguments
def random():
    """Draws from the model's own probabilities."""
    return _sampler("random()", lambda logits, token_ids, visible: logits)


@_same_object_for_equal_arguments
def temperature(value):
    """Divides the logits: below 1 the likely get likelier, above 1 less so.

    What was excluded before it stays excluded.

    Args:
        value: float, above 0; 1 leaves the logits as they are. Below 1e-6 it acts
            as 1e-6, which float32 cannot tell from greedy.

    Raises:
        ValueError: `value` is not above 0, or not finite.
    """
    if not 0 < value < math.inf:
        raise ValueError(
            "`temperature` must be above 0 and finite (use greedy() for the most "
            f"likely token). Received: temperature={value}"
        )

    def sample(logits, token_ids, visible):
        best = ops.max(logits, axis=-1, keepdims=True)  # (B, 1)
        excluded = logits <= best - EXCLUDED_GAP / 2
        return ops.where(excluded, logits, logits / max(value, 1e-6))

    return _sampler(f"temperature({value})", sample)


@_same_object_for_equal_arguments
def top_k(k=50):
    """Keeps the `k` most likely tokens; of equally likely ones the first.

    Args:
        k: int, at least 1. 1 is greedy; above the vocabulary size it keeps all.

    Raises:
        ValueError: `k` is below 1.
    """
    if k < 1:
        raise ValueError(f"`k` must be at least 1. Received: k={k}")

    def sample(logits, token_ids, visible):
        kept = min(k, logits.shape[-1])
        best_first, _ = ops.top_k(logits, kept)  # (B, k)
        return exclude_others(logits, most_likely(logits, best_first[:, -1:], kept))

    return _sampler(f"top_k({k})", sample)


@_same_object_for_equal_arguments
def top_p(p=0.9):
    """Keeps the fewest tokens whose probabilities sum to at least `p`.

    Also known as nucleus sampling (https://arxiv.org/abs/1904.09751).

    Args:
        p: float, above 0, at most 1. 1 keeps all; a tiny one is greedy.

    Raises:
        ValueError: `p` is outside its range.
    """
    _check_probability("top_p", p)
    if p == 1:
        return _sampler("top_p(1)", lambda logits, token_ids, visible: logits)

    def sample(logits, token_ids, visible):
        best_first, _ = ops.top_k(logits, logits.shape[-1])  # (B, V)
        probabilities = ops.softmax(best_first, axis=-1)
        before = ops.cumsum(probabilities, axis=-1) - probabilities
        kept = ops.sum(ops.cast(before < p, "int32"), axis=-1, keepdims=True)  # (B, 1)
        threshold = ops.take_along_axis(best_first, kept - 1, axis=-1)
        return exclude_others(logits, most_likely(logits, threshold, kept))

    return _sampler(f"top_p({p})", sample)


@_same_object_for_equal_arguments
def min_p(p=0.1):
    """Keeps tokens at least `p` times as probable as the most likely one.

    See https://arxiv.org/abs/2407.01082.

    Args:
        p: float, above 0, at most 1. 1 keeps only the most likely.

    Raises:
        ValueError: `p` is outside its range.
    """
    _check_probability("min_p", p)

    def sample(logits, token_ids, visible):
        best = ops.max(logits, axis=-1, keepdims=True)
        return exclude_others(logits, logits >= best + math.log(p))

    return _sampler(f"min_p({p})", sample)


@_same_object_for_equal_arguments
def repetition_penalty(penalty):
    """Makes tokens that are already in the text less likely.

    Their logits are divided by `penalty` where positive and multiplied by it
    where negative, so put it before samplers that change or exclude logits
    (https://arxiv.org/abs/1909.05858, section 4.1).

    Args:
        penalty: float, above 0. 1 changes nothing, 1.2 is common, below 1 favours
            repetition.

    Raises:
        ValueError: `penalty` is not above 0, or not finite.
    """
    if not 0 < penalty < math.inf:
        raise ValueError(
            f"`penalty` must be above 0 and finite. Received: penalty={penalty}"
        )

    def sample(logits, token_ids, visible):
        lowered = ops.where(logits > 0, logits / penalty, logits * penalty)
        seen = tokens_in(logits, token_ids, visible)  # (B, V)
        return ops.where(seen, lowered, logits)

    return _sampler(f"repetition_penalty({penalty})", sample)


@_same_object_for_equal_arguments
def no_repeat_ngram(n):
    """Excludes tokens that would complete an n-gram the text already has.

    The n-grams are those of each row's visible tokens in slot order, prompt
    included; padding between them is skipped.

    Args:
        n: int, at least 1. 1 lets no token appear twice.

    Raises:
        ValueError: `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1. Received: n={n}")

    def sample(logits, token_ids, visible):
        banned = ngram_completions(logits, token_ids, visible, n)  # (B, V)
        return exclude_others(logits, ops.logical_not(banned))

    return _sampler(f"no_repeat_ngram({n})", sample)


def suppress(token_ids):
    """Never draws the tokens of these ids, a list of ints.

    Raises:
        ValueError: an id is below 0; when the sampler is called, an id is not in
            the vocabulary.
    """
    return _suppress(tuple(sorted({int(token_id) for token_id in token_ids})))


@functools.cache
def _suppress(banned_ids):
    if banned_ids and banned_ids[0] < 0:
        raise ValueError(
            f"`token_ids` must be at least 0. Received: token_ids={banned_ids}"
        )

    def sample(logits, token_ids, visible):
        vocabulary_size = logits.shape[-1]
        if banned_ids and banned_ids[-1] >= vocabulary_size:
            raise ValueError(
                "suppress: `token_ids` must be below the vocabulary size. Received: "
                f"token_ids={banned_ids} for a vocabulary of {vocabulary_size}"
            )
        keep = np.ones(vocabulary_size, dtype="bool")
        keep[list(banned_ids)] = False
        return exclude_others(logits, ops.convert_to_tensor(keep))

    return _sampler(f"suppress({list(banned_ids)})", sample)


@_same_object_for_equal_arguments
def chain(*samplers):
    """Applies samplers from left to right; greedy when one of them is.

    Args:
        *samplers: samplers, at least one.

    Raises:
        ValueError: no sampler came.
        TypeError: one of them cannot be called.
    """
    if not samplers:
        raise ValueError("chain() must get at least one sampler. Received: none")
    for sampler in samplers:
        if not callable(sampler):
            raise TypeError(
                f"chain() must get samplers, which are functions. Received: {sampler!r}"
            )

    def sample(logits, token_ids, visible):
        for sampler in samplers:
            logits = sampler(logits, token_ids, visible)
        return logits

    names = ", ".join(getattr(s, "__name__", repr(s)) for s in samplers)
    is_greedy = any(getattr(s, "is_greedy", False) for s in samplers)
    return _sampler(f"chain({names})", sample, is_greedy)


SAMPLERS = {make.__name__: make for make in (greedy, random, top_k, top_p, min_p)}


def get_sampler(sampler):
    """Finds a sampler by its name.

    Args:
        sampler: one of the names in `SAMPLERS` (each with its default argument), a
            sampler, which comes back as it is, or `None`, which means `"greedy"`.

    Raises:
        ValueError: the name is unknown.
    """
    sampler = "greedy" if sampler is None else sampler
    if callable(sampler):
        return sampler
    if not isinstance(sampler, str) or sampler not in SAMPLERS:
        raise ValueError(
            f"`sampler` must be a function or one of {sorted(SAMPLERS)}. "
            f"Received: sampler={sampler!r}"
        )
    return SAMPLERS[sampler]()


def _sampler(name, function, is_greedy=False):
    function.__name__ = function.__qualname__ = name
    function.is_greedy = is_greedy
    return function


def _check_probability(name, p):
    if not 0 < p <= 1:
        raise ValueError(f"{name}: `p` must be above 0 and at most 1. Received: p={p}")
