"""Text generation: from prompts to new tokens, with any model of the protocol."""

import random
import weakref
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from keras_lm import backend
from keras_lm.generation.decoding import bind
from keras_lm.generation.samplers import get_sampler

# Compiled loops: model -> {(sampler, stop tokens): loop}.
_decoders: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def generate(
    model,
    token_ids,
    max_new_tokens: int,
    padding_mask=None,
    sampler="greedy",
    stop_token_ids: Sequence[int] = (),
    seed: int | None = None,
) -> np.ndarray:
    """Continues each prompt by up to `max_new_tokens` tokens.

    Prompts of different lengths share a batch: each row gives what it gives alone. The
    loop is compiled once for each sampler and each bucket of lengths; a second call
    with another length in the same bucket compiles nothing.

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
        stop_token_ids: ints. After one of these a row has ended and repeats it.
        seed: int or `None`. The same seed gives the same tokens on one backend; `None`
            takes one from Python's `random`.

    Returns:
        int32 `(B, N)`: the new tokens, without the prompts.

    Raises:
        ValueError: an empty prompt, a token id out of range, `max_new_tokens` below 1,
            prompt and new tokens longer than the model, or an unknown sampler.

    Example:
        >>> model = keras_lm.models.TransformerDecoder(
        ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> keras_lm.generation.generate(model, [[1, 2, 3], [4]], 5).shape
        (2, 5)
    """
    prompts = check_prompts(model, token_ids, padding_mask, max_new_tokens)
    ids, mask = left_padded(prompts)
    capacity = bucket(max_new_tokens)
    tokens = _decoder(model, sampler, stop_token_ids).run(
        ids, mask, ids.shape[1] + capacity, capacity, max_new_tokens, _seed(seed)
    )
    tokens = np.array(keras.ops.convert_to_numpy(tokens)[:, :max_new_tokens])
    return _repeat_stops(tokens, stop_token_ids)


def stream(
    model,
    token_ids,
    max_new_tokens: int,
    padding_mask=None,
    sampler="greedy",
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
    decoder = _decoder(model, sampler, stop_token_ids)
    steps = decoder.stream(ids, mask, num_slots, max_new_tokens, _seed(seed))
    return (np.array(keras.ops.convert_to_numpy(token)) for token in steps)


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
    if max_new_tokens < 1:
        raise ValueError(
            "`max_new_tokens` must be at least 1. "
            f"Received: max_new_tokens={max_new_tokens}"
        )
    rows = [_row(row) for row in _rows(token_ids)]
    if padding_mask is not None:
        masks = np.asarray(keras.ops.convert_to_numpy(padding_mask)).astype(bool)
        rows = [row[mask] for row, mask in zip(rows, masks, strict=True)]
    for i, row in enumerate(rows):
        _check_row(model, i, row, max_new_tokens)
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
    return max(16, 1 << (length - 1).bit_length())


def _rows(token_ids):
    if isinstance(token_ids, (list, tuple)):
        return token_ids
    return keras.ops.convert_to_numpy(token_ids)


def _row(row) -> np.ndarray:
    row = np.asarray(row)
    if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
        raise ValueError(
            "`token_ids` must be ints of shape (B, P), or lists of ints. "
            f"Received: a row of shape {row.shape} and dtype {row.dtype}"
        )
    return row.astype("int32")


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


def _decoder(model, sampler, stop_token_ids):
    key = (get_sampler(sampler), tuple(int(stop) for stop in stop_token_ids))
    decoders = _decoders.setdefault(model, {})
    if key not in decoders:
        decoders[key] = backend.decoder(model, *bind(*key))
    return decoders[key]


def _seed(seed):
    return random.randrange(2**31 - 1) if seed is None else seed


def _repeat_stops(tokens, stop_token_ids):
    """After its first stop token a row repeats it, also where the loop ended early."""
    for row in tokens:
        stops = np.flatnonzero(np.isin(row, list(stop_token_ids)))
        if stops.size:
            row[stops[0] :] = row[stops[0]]
    return tokens
