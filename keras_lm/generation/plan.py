"""What one beam search does, as its compiled loop knows it."""

import math
import numbers
from collections.abc import Callable
from typing import NamedTuple

from keras_lm.generation.samplers import greedy


class Plan(NamedTuple):
    """What a beam search does: a loop is compiled for each. See `beam_search`.

    Args:
        num_beams: int, `K`: of each group.
        num_kept: int: hypotheses that each group answers.
        sampler: see `samplers`.
        num_groups: int, `G`: of each row.
        stop_token_ids: tuple of int.
        length_penalty: float.
        coverage_penalty: float, at least 0.
        patience: float, above 0.
        diversity_penalty: float, at least 0. How strongly a group keeps from the tokens
            of those before it.
        min_new_tokens: int.
        alternatives: bool. Whether group `g` starts with the `g`-th best token.
        with_attention: bool. Whether the answer holds the attention.
        has_start: bool. Whether each row begins with a start token, which the sampler
            does not see.
    """

    num_beams: int
    num_kept: int
    sampler: Callable
    num_groups: int = 1
    stop_token_ids: tuple[int, ...] = ()
    length_penalty: float = 1.0
    coverage_penalty: float = 0.0
    patience: float = 1.0
    diversity_penalty: float = 0.0
    min_new_tokens: int = 0
    alternatives: bool = False
    with_attention: bool = False
    has_start: bool = False

    @property
    def attends(self):
        """Whether each step must say where in the source it looked."""
        return self.with_attention or self.coverage_penalty > 0


def make_plan(
    model,
    *,
    beam_size: int,
    num_hypotheses: int,
    num_groups: int,
    alternatives: bool,
    sampler: Callable,
    stop_token_ids: tuple[int, ...],
    length_penalty: float,
    coverage_penalty: float,
    patience: float,
    diversity_penalty: float,
    min_new_tokens: int,
    with_attention: bool,
    has_start: bool,
) -> Plan:
    """The plan of a search, checked. The arguments are those of `beam_search`.

    `has_start` says whether there is a start token.

    Returns:
        a `Plan`; settings that change nothing are left out of it.

    Raises:
        ValueError: see `beam_search`.
    """
    counts = {"beam_size": beam_size, "num_hypotheses": num_hypotheses}
    for name, count in {**counts, "num_groups": num_groups}.items():
        _check_count(name, count, 1)
    _check_count("min_new_tokens", min_new_tokens, 0)
    if alternatives:
        _check_alternatives(model, num_hypotheses, num_groups)
        num_beams, num_kept, num_groups = beam_size, 1, num_hypotheses
    else:
        _check_shares(beam_size, num_hypotheses, num_groups)
        num_beams, num_kept = beam_size // num_groups, num_hypotheses // num_groups
    _check_range("length_penalty", length_penalty, -math.inf)
    _check_range("coverage_penalty", coverage_penalty, 0)
    _check_range("diversity_penalty", diversity_penalty, 0)
    if not patience > 0:
        raise ValueError(f"`patience` must be above 0. Received: patience={patience}")
    keeps_apart = num_groups > 1 and not alternatives
    plan = Plan(
        num_beams=int(num_beams),
        num_kept=int(num_kept),
        sampler=sampler,
        num_groups=int(num_groups),
        stop_token_ids=stop_token_ids,
        length_penalty=float(length_penalty),
        coverage_penalty=float(coverage_penalty),
        # A beam of 1 is greedy: it has nothing to wait for.
        patience=float(patience) if num_beams > 1 else 1.0,
        diversity_penalty=float(diversity_penalty) if keeps_apart else 0.0,
        min_new_tokens=int(min_new_tokens),
        alternatives=bool(alternatives),
        with_attention=bool(with_attention),
        has_start=has_start and sampler is not greedy(),
    )
    if plan.attends and not hasattr(model, "step_with_attention"):
        raise ValueError(
            "`coverage_penalty` and `return_attention` must have a model that offers "
            f"`step_with_attention`. Received: model={type(model).__name__}"
        )
    return plan


def _check_count(name, count, least):
    if not isinstance(count, numbers.Integral) or count < least:
        raise ValueError(
            f"`{name}` must be an int, at least {least}. Received: {name}={count}"
        )


def _check_range(name, value, least):
    if not (math.isfinite(value) and value >= least):
        at_least = "" if least == -math.inf else f"at least {least} and "
        raise ValueError(f"`{name}` must be {at_least}finite. Received: {name}={value}")


def _check_shares(beam_size, num_hypotheses, num_groups):
    if num_hypotheses > beam_size:
        raise ValueError(
            "`num_hypotheses` must be at most `beam_size`. Received: "
            f"num_hypotheses={num_hypotheses}, beam_size={beam_size}"
        )
    if beam_size % num_groups or num_hypotheses % num_groups:
        raise ValueError(
            "`num_groups` must divide `beam_size` and `num_hypotheses`. Received: "
            f"num_groups={num_groups}, beam_size={beam_size}, "
            f"num_hypotheses={num_hypotheses}"
        )


def _check_alternatives(model, num_hypotheses, num_groups):
    if num_groups != 1:
        raise ValueError(
            "`alternatives` must have one group. Received: "
            f"alternatives=True, num_groups={num_groups}"
        )
    if num_hypotheses > model.vocabulary_size:
        raise ValueError(
            "With `alternatives`, `num_hypotheses` must be at most the vocabulary size "
            f"{model.vocabulary_size}. Received: num_hypotheses={num_hypotheses}"
        )
