"""Beam search: the likeliest continuations, with any model of the protocol."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_lm import backend
from keras_lm.generation.beams import bind
from keras_lm.generation.generate import (
    bucket,
    check_prompts,
    compiled_loop,
    left_padded,
    real_tokens,
    stop_tokens,
)
from keras_lm.generation.hypotheses import Hypotheses
from keras_lm.generation.plan import make_plan
from keras_lm.generation.samplers import get_sampler


def beam_search(
    model,
    inputs,
    start_token_id: int | None,
    beam_size: int,
    max_new_tokens: int,
    stop_token_ids: Sequence[int] = (),
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
    patience: float = 1.0,
    num_hypotheses: int = 1,
    *,
    padding_mask=None,
    target_prefix: Sequence[Sequence[int]] | None = None,
    min_new_tokens: int = 0,
    sampler: Callable | str = "greedy",
    num_groups: int = 1,
    diversity_penalty: float = 0.5,
    alternatives: bool = False,
    return_attention: bool = False,
) -> Hypotheses:
    """Searches each row for its most likely continuations.

    At each step the `beam_size` likeliest hypotheses go on. One that takes a stop token
    has finished: it leaves the beam, never changes again, and the next one that goes on
    takes its room. Hypotheses are compared by

        score = log_probability / ((5 + length) / 6) ** length_penalty
            + coverage_penalty * sum_i log(min(coverage_i, 1))

    where `length` counts the new tokens, the stop token included; neither prompt, start
    token nor prefix adds to it, or to the log-probability. `coverage_i` is the
    attention that source position `i` got from all tokens.

    A row ends when no hypothesis that goes on can beat the worst it would answer, which
    changes no answer, or when `patience * beam_size` hypotheses have finished and the
    best of them scores as high as those that go on do so far. Those that still go on
    after `max_new_tokens` are cut off there and compared with the finished ones by
    their scores. A batch gives each row what it gets alone; a beam of 1 is `generate`,
    greedy. The loop is compiled once for each setting, batch size and bucket of
    lengths.

    Shapes: `B` batch, `S` source, `N` hypotheses, `T` new tokens.

    Args:
        model: answers the decoding protocol (`initial_state`, `step`).
        inputs: for a decoder the prompts; for an encoder-decoder the source. Int
            `(B, S)` or a list of lists of different lengths; a source may also be what
            the model's `initial_state` takes, arrays with the batch axis first.
        start_token_id: int: the first decoder token of an encoder-decoder. `None` for a
            decoder.
        beam_size: int, at least 1. Hypotheses that go on at each step.
        max_new_tokens: int, at least 1, `T`.
        stop_token_ids: ints. What ends a hypothesis.
        length_penalty: float. 0 compares sums, and so prefers the short; 1 is close to
            a mean.
        coverage_penalty: float, at least 0. Above 0 the model must offer its attention
            (`step_with_attention`).
        patience: float, above 0. 1 ends a row at `beam_size` finished hypotheses, 2 at
            twice as many; `math.inf` ends it only when nothing can change. At least
            `num_hypotheses` are waited for.
        num_hypotheses: int, at most `beam_size`, `N`; more with `alternatives`.
        padding_mask: bool `(B, S)` or `None`. `True` = real. Of token ids in `inputs`.
        target_prefix: for each row the tokens (maybe none) with which its answer must
            begin. They are not repeated in the answer.
        min_new_tokens: int. The fewest new tokens, the stop token among them: it is
            none of those before the last of these.
        sampler: what reshapes the logits before they become log-probabilities, a
            function of `generation.samplers`: `no_repeat_ngram`, `suppress`,
            `repetition_penalty`. Nothing is drawn. It sees prompt, prefix and new
            tokens, but neither start token nor stop tokens, which nobody said.
        num_groups: int, divides `beam_size` and `num_hypotheses`. The beam is divided
            into groups, each a search of its own that answers its share of the
            hypotheses; a group keeps from tokens that those before it took at the step.
        diversity_penalty: float, at least 0. What a token loses for each beam of
            another group that took it, when it is chosen; scores do not show it.
        alternatives: bool. The hypotheses begin with the `num_hypotheses` best first
            tokens, one each, and each is completed by a beam of its own. There may be
            more of them than beams, as many as the vocabulary has tokens. With a
            `target_prefix` they are what may stand behind it, instead of how a whole
            answer goes on.
        return_attention: bool. Whether the answer holds the attention; the model must
            offer it.

    Returns:
        `Hypotheses`: `token_ids`, int32 `(B, N, T)`, and `scores`, float32 `(B, N)`,
        best first, into which it unpacks; `finished`, bool `(B, N)`, `False` where one
        was cut off; with `return_attention` also `attention`, float32 `(B, N, T, S)`,
        where `S` counts the real tokens of the longest source.

    Raises:
        ValueError: a number out of range or that does not fit another, no attention
            to be had, a start token for a model without a source, or none for one with
            a source, or inputs that `generate` would refuse.

    Example:
        >>> model = keras_lm.models.TransformerDecoder(
        ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> token_ids, scores = keras_lm.generation.beam_search(
        ...     model, [[1, 2, 3], [4]], None, beam_size=4, max_new_tokens=5,
        ...     stop_token_ids=[0], num_hypotheses=2)
        >>> token_ids.shape, scores.shape
        ((2, 2, 5), (2, 2))

    Source: https://arxiv.org/abs/1609.08144, section 7 (penalties);
        https://arxiv.org/abs/2204.05424 (patience);
        https://arxiv.org/abs/1610.02424 (groups).
    """
    plan = make_plan(
        model,
        beam_size=beam_size,
        num_hypotheses=num_hypotheses,
        num_groups=num_groups,
        alternatives=alternatives,
        sampler=get_sampler(sampler),
        stop_token_ids=stop_tokens(stop_token_ids),
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
        patience=patience,
        diversity_penalty=diversity_penalty,
        min_new_tokens=min_new_tokens,
        with_attention=return_attention,
        has_start=start_token_id is not None,
    )
    given, num_source = _given(model, inputs, padding_mask, start_token_id, plan)
    prompts = _with_prefix(given["token_ids"], target_prefix)
    prompts = check_prompts(model, prompts, None, max_new_tokens)
    ids, mask = left_padded(prompts)
    if "source" in given and target_prefix is None:
        ids, mask = ids[:, -1:], mask[:, -1:]  # the start token only
    given.update(
        token_ids=ids, padding_mask=mask, max_new_tokens=np.int32(max_new_tokens)
    )
    loop = compiled_loop(model, plan, lambda: backend.search(model, *bind(plan)))
    found = loop.run(given, ids.shape[1] + bucket(max_new_tokens))
    return _answer(found, max_new_tokens, num_source)


def _given(
    model, inputs, padding_mask, start_token_id, plan
) -> tuple[dict[str, Any], int | None]:
    """`(given, S)`: the first tokens of each row, the source, and its real length."""
    if start_token_id is None:
        if plan.attends:
            raise ValueError(
                "A decoder has no source to attend to: without `start_token_id`, "
                "`coverage_penalty` must be 0 and `return_attention` False. Received: "
                f"coverage_penalty={plan.coverage_penalty}, "
                f"return_attention={plan.with_attention}"
            )
        return {"token_ids": real_tokens(inputs, padding_mask)}, None
    if isinstance(inputs, dict):
        source, num_source = _as_it_is(inputs, padding_mask), None
    else:
        rows = _sources(model, real_tokens(inputs, padding_mask))
        source = _right_padded(rows, getattr(model, "max_source_length", None))
        num_source = int(source["padding_mask"].sum(axis=1).max())
    batch_size = len(next(iter(keras.tree.flatten(source))))
    starts = [np.array([start_token_id])] * batch_size
    return {"token_ids": starts, "source": source}, num_source


def _as_it_is(inputs, padding_mask):
    """A source that the model's `initial_state` takes, in NumPy."""
    source = keras.tree.map_structure(keras.ops.convert_to_numpy, inputs)
    sizes = [array.shape[:1] for array in keras.tree.flatten(source)]
    if padding_mask is not None or len(set(sizes)) != 1 or sizes[0] in ((), (0,)):
        raise ValueError(
            "A source given as a dictionary must hold arrays of one batch size, and "
            "its own mask. Received: arrays of shapes "
            f"{[array.shape for array in keras.tree.flatten(source)]} and "
            f"`padding_mask` {'None' if padding_mask is None else 'beside it'}"
        )
    return source


def _sources(model, rows):
    """The sources, none of them empty, unknown or longer than the model's places."""
    size = getattr(model, "source_vocabulary_size", None) or model.vocabulary_size
    for i, row in enumerate(rows):
        wrong = row[(row < 0) | (row >= size)]
        if wrong.size:
            raise ValueError(
                f"Token ids of a source must be at least 0 and below {size}. "
                f"Received: {wrong[0]} in row {i}"
            )
    lengths = np.array([len(row) for row in rows])
    if not lengths.all():
        raise ValueError(
            "Each source must have at least one real token. Received: none in row "
            f"{int(np.argmin(lengths))}"
        )
    limit = getattr(model, "max_source_length", None)
    if limit is not None and lengths.max() > limit:
        raise ValueError(
            f"A source must have at most {limit} tokens, for which the model has "
            f"learned positions. Received: {lengths.max()} in row "
            f"{int(np.argmax(lengths))}"
        )
    return rows


def _right_padded(rows, most):
    """Sources in a bucket of lengths, `most` at the most, for an encoder-decoder."""
    lengths = np.array([len(row) for row in rows])
    width = bucket(lengths.max())
    width = width if most is None else min(width, most)
    token_ids = np.zeros((len(rows), width), "int32")
    for padded, row in zip(token_ids, rows, strict=True):
        padded[: len(row)] = row
    mask = np.arange(token_ids.shape[1]) < lengths[:, None]
    return {"token_ids": token_ids, "padding_mask": mask}


def _with_prefix(prompts, target_prefix):
    """Each prompt with the tokens that its answer must begin with."""
    if target_prefix is None:
        return prompts
    if len(target_prefix) != len(prompts):
        raise ValueError(
            "`target_prefix` must hold a list of tokens for each row. Received: "
            f"{len(target_prefix)} for {len(prompts)} rows"
        )
    prefixes = real_tokens(target_prefix, None)
    return [
        np.concatenate([prompt, prefix]) if prefix.size else prompt
        for prompt, prefix in zip(prompts, prefixes, strict=True)
    ]


def _answer(found, num_new, num_source):
    """What the loop found, in NumPy, without the room behind."""
    found = {
        name: np.array(keras.ops.convert_to_numpy(array))
        for name, array in found.items()
    }
    attention = found.get("attention")  # (B, N, T, S)
    if attention is not None:
        attention = attention[:, :, :num_new, :num_source]
    token_ids = found["token_ids"][:, :, :num_new]
    return Hypotheses(token_ids, found["score"], found["finished"], attention)
