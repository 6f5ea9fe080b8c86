"""Text generation: from prompts to new tokens, with any model of the protocol."""

import numbers
import random
import weakref
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np

from keras_lm import backend
from keras_lm.generation.decoding import bind
from keras_lm.generation.samplers import get_sampler

# Compiled loops: model -> {what it is for: loop}, the newest used last.
_loops: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
_MAX_LOOPS = (
    16  # for each model: a sampler made anew for every call must not fill memory
)


def generate(
    model,
    token_ids,
    max_new_tokens: int,
    padding_mask=None,
    sampler: Callable | str = "greedy",
    stop_token_ids: Sequence[int] = (),
    seed: int | None = None,
) -> np.ndarray:
    """Continues each prompt by up to `max_new_tokens` tokens.

    Prompts of different lengths share a batch: with a greedy sampler each row gives
    what it gives alone. The loop is compiled once for each sampler, batch size and
    bucket of lengths; a second call with another length in the same bucket compiles
    nothing.

    Shapes: `B` batch, `P` longest prompt, `N` new tokens.

    Args:
        model: answers the decoding protocol (`initial_state`, `step`), for example
            `models.TransformerDecoder`.
        token_ids: int `(B, P)`, or a list of lists of different lengths.
        max_new_tokens: int, at least 1, `N`.
        padding_mask: bool `(B, P)` or `None`. `True` = real. Padding may stand
            anywhere; rows are moved to the right inside.
        sampler: a function of `generation.samplers`, or the name of one that needs no
            arguments ("greedy", "random").
        stop_token_ids: ints. After one of these a row has ended and repeats it. A
            sampler does not see those of a prompt.
        seed: int or `None`. The same seed gives the same batch the same tokens on one
            backend; `None` takes one from Python's `random`.

    Returns:
        int32 `(B, N)`: the new tokens, without the prompts.

    Raises:
        ValueError: no prompt or an empty one, a token id out of range, a mask of
            another shape, `max_new_tokens` below 1, prompt and new tokens longer than
            the model, or an unknown sampler.

    Example:
        >>> model = keras_lm.models.TransformerDecoder(
        ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> keras_lm.generation.generate(model, [[1, 2, 3], [4]], 5).shape
        (2, 5)
    """
    prompts = check_prompts(model, token_ids, padding_mask, max_new_tokens)
    ids, mask = left_padded(prompts)
    stops = stop_tokens(stop_token_ids)
    capacity = bucket(max_new_tokens)
    num_slots = ids.shape[1] + capacity
    tokens = _decoder(model, sampler, stops).run(
        ids, mask, num_slots, capacity, int(max_new_tokens), _seed(seed)
    )
    tokens = np.array(keras.ops.convert_to_numpy(tokens)[:, :max_new_tokens])
    return _repeat_stops(tokens, stops)


def stream(
    model,
    token_ids,
    max_new_tokens: int,
    padding_mask=None,
    sampler: Callable | str = "greedy",
    stop_token_ids: Sequence[int] = (),
    seed: int | None = None,
) -> Iterator[np.ndarray]:
    """Like `generate`, one step at a time.

    Args:
        model: answers the decoding protocol.
        token_ids: int `(B, P)`, or a list of lists of different lengths.
        max_new_tokens: int, at least 1.
        padding_mask: bool `(B, P)` or `None`.
        sampler: see `generate`.
        stop_token_ids: ints. The iterator ends when every row has ended.
        seed: int or `None`.

    Returns:
        iterator of int32 `(B,)`: the same tokens as `generate` gives.

    Raises:
        ValueError: as `generate`, before the first token.
    """
    prompts = check_prompts(model, token_ids, padding_mask, max_new_tokens)
    ids, mask = left_padded(prompts)
    num_slots = ids.shape[1] + bucket(max_new_tokens)
    decoder = _decoder(model, sampler, stop_tokens(stop_token_ids))
    steps = decoder.stream(ids, mask, num_slots, int(max_new_tokens), _seed(seed))
    return _tokens(model, steps)


def check_prompts(model, token_ids, padding_mask, max_new_tokens) -> list[np.ndarray]:
    """The real tokens of each row, checked against the model.

    Args:
        model: has `vocabulary_size` and `max_sequence_length`.
        token_ids: int `(B, P)`, or a list of lists.
        padding_mask: bool `(B, P)` or `None`.
        max_new_tokens: int.

    Returns:
        list of `B` int32 arrays.

    Raises:
        ValueError: see `generate`.
    """
    if not isinstance(max_new_tokens, numbers.Integral) or max_new_tokens < 1:
        raise ValueError(
            "`max_new_tokens` must be an int, at least 1. "
            f"Received: max_new_tokens={max_new_tokens}"
        )
    rows = real_tokens(token_ids, padding_mask)
    for i, row in enumerate(rows):
        _check_row(model, i, row, max_new_tokens)
    return [row.astype("int32") for row in rows]


def real_tokens(token_ids, padding_mask) -> list[np.ndarray]:
    """Rows of different lengths, without their padding.

    Args:
        token_ids: int `(B, P)`, or a list of lists.
        padding_mask: bool `(B, P)` or `None`. `True` = real.

    Returns:
        list of `B` int arrays.

    Raises:
        ValueError: there is no row, one holds no ints, or the mask has another shape.
    """
    rows = _rows(token_ids)
    if not rows:
        raise ValueError("`token_ids` must hold at least one prompt. Received: none")
    for row in rows:
        _check_kind(row)
    if padding_mask is not None:
        rows = _real(rows, _rows(padding_mask))
    return rows


def left_padded(prompts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Prompts in one array, moved to the right, in a bucket of lengths.

    Args:
        prompts: `B` int arrays, none of them empty.

    Returns:
        `(token_ids, padding_mask)`: int32 and bool `(B, P)`; `P` is a bucket.
    """
    width = bucket(max(len(prompt) for prompt in prompts))
    ids = np.zeros((len(prompts), width), "int32")
    mask = np.zeros((len(prompts), width), bool)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt) :] = prompt
        mask[i, width - len(prompt) :] = True
    return ids, mask


def bucket(length: int) -> int:
    """The next of 16, 32, 64, 128, 256, 512, 768, 1024 ..: so few loops compile."""
    if length > 256:
        return -(-length // 256) * 256
    return max(16, 1 << int(length - 1).bit_length())


def stop_tokens(stop_token_ids) -> tuple[int, ...]:
    """Stop tokens as a loop knows them: sorted, each once."""
    return tuple(sorted({int(stop) for stop in stop_token_ids}))


def compiled_loop(model, key, make):
    """The loop that was made for this model and key, or a new one.

    Args:
        model: answers the decoding protocol. It is held weakly.
        key: hashable: what the loop was made for.
        make: `make() -> loop`.

    Returns:
        The loop.
    """
    loops = _loops.setdefault(model, {})
    loops[key] = loops.pop(key, None) or make()
    if len(loops) > _MAX_LOOPS:
        del loops[next(iter(loops))]
    return loops[key]


def _rows(batch) -> list[np.ndarray]:
    if not isinstance(batch, (list, tuple)):
        batch = np.atleast_1d(keras.ops.convert_to_numpy(batch))
    return [np.asarray(row) for row in batch]


def _check_kind(row):
    if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
        raise ValueError(
            "`token_ids` must be ints of shape (B, P), or lists of ints. "
            f"Received: a row of shape {row.shape} and dtype {row.dtype}"
        )


def _real(rows, masks):
    shapes = [row.shape for row in rows], [mask.shape for mask in masks]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "`padding_mask` must have the shape of `token_ids`. Received: rows of "
            f"shapes {shapes[1]} for rows of shapes {shapes[0]}"
        )
    return [row[mask.astype(bool)] for row, mask in zip(rows, masks, strict=True)]


def _check_row(model, i, row, max_new_tokens):
    if not row.size:
        raise ValueError(
            f"Each prompt must have at least one real token. Received: none in row {i}"
        )
    if row.min() < 0 or row.max() >= model.vocabulary_size:
        wrong = row[(row < 0) | (row >= model.vocabulary_size)][0]
        raise ValueError(
            f"Token ids must be at least 0 and below {model.vocabulary_size}. "
            f"Received: {wrong} in row {i}"
        )
    if row.size + max_new_tokens > model.max_sequence_length:
        raise ValueError(
            "Prompt and new tokens must fit the model's max_sequence_length="
            f"{model.max_sequence_length}. Received: {row.size} prompt tokens in row "
            f"{i} and max_new_tokens={max_new_tokens}"
        )


def _decoder(model, sampler, stops):
    key = (get_sampler(sampler), stops)
    return compiled_loop(model, key, lambda: backend.decoder(model, *bind(*key)))


def _tokens(model, steps):
    """What comes as NumPy; `model` is named so that it lives as long as the steps."""
    for token in steps:
        yield np.array(keras.ops.convert_to_numpy(token))


def _seed(seed) -> int:
    return random.randrange(2**31) if seed is None else int(seed) % 2**31


def _repeat_stops(tokens, stops):
    """After its first stop token a row repeats it, also where the loop ended early."""
    for row in tokens:
        places = np.flatnonzero(np.isin(row, stops))
        if places.size:
            row[places[0] :] = row[places[0]]
    return tokens
