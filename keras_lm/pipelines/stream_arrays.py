"""Named streams as the arrays that a model takes, whatever of them is missing."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

PADDING = -1  # after the token ids of a text: no token has it


def stream_arrays(inputs: Mapping, model, tokenizer=None) -> dict[str, np.ndarray]:
    """What `StreamClassifier` is called with, as its model is called.

    Shapes: `B` examples, `T` most tokens of a text.

    Args:
        inputs: dict: see `StreamClassifier`.
        model: a classifier of named streams.
        tokenizer: of the texts; `None` where they are token ids.

    Returns:
        dict of arrays with `B` rows: under each stream's name its array, zeros where it
        is missing; `<name>_present`, bool; for a text `<name>_mask`, bool `(B, T)`.

    Raises:
        TypeError: a stream of texts is one string.
        ValueError: no stream or an unknown one, streams of different lengths, an array
            of another shape, or a text that is too long.
    """
    signature = model.stream_signature()
    given = _given(inputs, list(signature))
    num_rows = len(next(iter(given.values())))
    arrays = {}
    for name, (shape, dtype) in signature.items():
        examples = given.get(name, [None] * num_rows)
        if model.streams[name]["kind"] == "text":
            token_ids = padded_token_ids(name, examples, shape[1], tokenizer)
            arrays[name] = np.maximum(token_ids, 0)
            arrays[f"{name}_mask"] = token_ids != PADDING
        else:
            arrays[name] = _stacked(name, examples, shape[1:], dtype)
        is_there = [example is not None for example in examples]
        arrays[f"{name}_present"] = np.array(is_there, "bool")
    return arrays


def padded_token_ids(name: str, texts: Sequence, length: int, tokenizer) -> np.ndarray:
    """Texts as token ids, `PADDING` after them.

    Args:
        name: str, the stream's.
        texts: of each example: str, bytes, token ids or `None`, which has no token.
        length: int, `T`.
        tokenizer: `None` where texts are token ids.

    Returns:
        int32 `(B, T)`.

    Raises:
        ValueError: a text has more than `length` tokens, or, without a tokenizer, is
            not a list of token ids.
    """
    rows = np.full((len(texts), length), PADDING, "int32")
    for row, text in zip(rows, texts):
        token_ids = _token_ids(name, text, tokenizer)
        if len(token_ids) > length:
            raise ValueError(
                f"A text of the stream {name!r} must have at most {length} tokens. "
                f"Received: {len(token_ids)} tokens"
            )
        row[: len(token_ids)] = token_ids
    return rows


def _given(inputs, names):
    """The streams that are not missing from the batch, a list of examples each."""
    unknown = sorted(set(inputs) - set(names))
    if unknown:
        raise ValueError(f"A stream must be one of {names}. Received: {unknown}")
    given = {n: _examples(n, inputs[n]) for n in names if inputs.get(n) is not None}
    if not given:
        raise ValueError(
            f"At least one of the streams {names} must be given. Received: none"
        )
    sizes = {name: len(examples) for name, examples in given.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"All streams must have as many examples. Received: {sizes}")
    return given


def _examples(name, stream):
    if isinstance(stream, (str, bytes)):
        raise TypeError(
            f"The stream {name!r} must be a list of texts, one for each example. "
            f"Received: {stream!r}"
        )
    if isinstance(stream, (list, tuple, np.ndarray)):
        return list(stream)
    return list(keras.ops.convert_to_numpy(stream))


def _stacked(name, examples, shape, dtype):
    rows = np.zeros((len(examples), *shape), dtype)
    for place, example in enumerate(examples):
        if example is None:
            continue
        example = np.asarray(example)
        if example.shape != tuple(shape):
            raise ValueError(
                f"An example of the stream {name!r} must have shape {tuple(shape)}. "
                f"Received: shape {example.shape}"
            )
        rows[place] = example
    return rows


def _token_ids(name, text, tokenizer):
    if text is None:
        return []
    if tokenizer is not None:
        return tokenizer.encode(text)
    token_ids = np.asarray(text)
    if token_ids.ndim != 1 or (token_ids.size and token_ids.dtype.kind not in "iu"):
        raise ValueError(
            f"Without a tokenizer a text of the stream {name!r} must be a list of "
            f"token ids. Received: {text!r}"
        )
    return token_ids[token_ids != PADDING]
