"""What the model itself answers, on its own backend: what exports are held to."""

import io
from pathlib import Path

import keras
import numpy as np

from keras_lm.export.export_error import ExportError
from keras_lm.generation import generate
from keras_lm.generation.generate import bucket
from keras_lm.text import HuggingFaceTokenizer

# Prompts of different lengths, scripts and faults; the last is no valid UTF-8.
PROBES = (
    "",
    "Returns the",
    "中文，再加一些字",
    "a 👩‍👧 and U+2581 ▁",
    ' def main(*args):\n    """Say hello to everyone who is given by name."""\n',
    "bad \udcff\udc80 bytes",
)
# LiteRT is followed for so many tokens after each prompt.
FOLLOWED = 24


def reference(pipeline, work: Path) -> dict:
    """Prompts, continuations and logits of the pipeline; the logits go to a file.

    Shapes: `N` new tokens of all probes, `V` vocabulary.

    Args:
        pipeline: `TextGenerator`.
        work: folder for the file.

    Returns:
        dict: `prompts` (bytes that are no UTF-8 stand as lone surrogates), `token_ids`
        (each with the beginning of its continuation), `prompt_lengths`, `greedy_texts`,
        `num_tokens`, `log_likelihoods` (of the prompts, nats), `margins` (the least
        lead of a token over the next best, in the whole continuation),
        `max_new_tokens`, `logits_path` (`.npy`, float32 `(N, V)`: what each token
        behind `prompt_lengths` was told from, one probe after the other).

    Raises:
        ExportError: the tokenizer cannot be in a graph.
        ValueError: no prompt fits the model, or its logits are not finite.
    """
    tokenizer = pipeline.tokenizer
    refuse_pretrained(tokenizer)
    prompts = _prompts_that_fit(pipeline)
    starts = [
        [tokenizer.separator_id, *tokenizer.encode(as_bytes(prompt))]
        for prompt in prompts
    ]
    given = [as_bytes(prompt) for prompt in prompts]
    return {
        "prompts": prompts,
        # First: it refuses logits that are not finite.
        **answers_to(pipeline, starts, work),
        "greedy_texts": pipeline(given),
        "num_tokens": [len(start) - 1 for start in starts],
        "log_likelihoods": pipeline.score(given).tolist(),
    }


def answers_to(pipeline, starts: list, work: Path) -> dict:
    """What a decoder says after some rows of token ids, greedily.

    Args:
        pipeline: has `model`, `tokenizer` and `max_new_tokens`.
        starts: lists of token ids.
        work: folder for the file.

    Returns:
        dict: `token_ids`, `prompt_lengths`, `margins`, `max_new_tokens` and
        `logits_path` of `reference`.

    Raises:
        ValueError: a row does not fit the model, or its logits are not finite.
    """
    model, separator = pipeline.model, pipeline.tokenizer.separator_id
    new_tokens = generate(
        model, starts, pipeline.max_new_tokens, stop_token_ids=[separator]
    )
    whole = [
        [*start, *_until(separator, row.tolist())]
        for start, row in zip(starts, new_tokens)
    ]
    margins, followed = [], []
    for start, sequence in zip(starts, whole):
        logits = _logits(model, sequence)[len(start) - 1 :]  # of the new tokens
        margins.append(_margin(logits))
        followed.append(logits[:FOLLOWED].copy())
    content = io.BytesIO()
    np.save(content, np.concatenate(followed))
    # Not `np.save` to the disk: its error does not say that it is full.
    (work / "logits.npy").write_bytes(content.getbuffer())
    return {
        "token_ids": [
            sequence[: len(start) + FOLLOWED] for start, sequence in zip(starts, whole)
        ],
        "prompt_lengths": [len(start) for start in starts],
        "margins": margins,
        "max_new_tokens": pipeline.max_new_tokens,
        "logits_path": str(work / "logits.npy"),
    }


def refuse_pretrained(tokenizer) -> None:
    """Refuses to export the pipeline of a decoder with a tokenizer of others.

    Args:
        tokenizer: of the pipeline.

    Raises:
        ExportError: it is a `HuggingFaceTokenizer`.
    """
    if isinstance(tokenizer, HuggingFaceTokenizer):
        raise ExportError(
            "The tokenizer of a decoder that is exported must be a "
            "SentencePieceTokenizer, which is a graph too. Received: a "
            "HuggingFaceTokenizer"
        )


def as_bytes(text: str) -> bytes:
    """A text of `PROBES` as a pipeline takes it.

    Args:
        text: str, lone surrogates in the place of invalid bytes.

    Returns:
        bytes.
    """
    return text.encode("utf-8", "surrogateescape")


def real_tokens(arrays: dict, names=None) -> dict:
    """Inputs of a model without padding, as `run_check.padded_rows` takes them.

    Args:
        arrays: dict of arrays `(P, T)`; with `padding_mask`.
        names: of those that are wanted; all when `None`.

    Returns:
        dict, by name a list of `P` lists.
    """
    real = arrays["padding_mask"]
    return {
        name: [row[there].tolist() for row, there in zip(array, real, strict=True)]
        for name, array in arrays.items()
        if names is None or name in names
    }


def refuse_none_fits(texts, max_length: int, what: str = "Texts") -> None:
    """Refuses a pipeline that no text of `PROBES` fits.

    Args:
        texts: list of those that fit.
        max_length: int, of the pipeline.
        what: str, what they are.

    Raises:
        ValueError: there is none.
    """
    if not texts:
        raise ValueError(
            f"{what} of a few tokens must fit the pipeline to be exported. "
            f"Received: max_length={max_length}"
        )


def refuse_not_finite(what: str, arrays) -> None:
    """Refuses a model that gives NaN or infinity.

    Args:
        what: str, what the numbers are.
        arrays: array, or list of arrays.

    Raises:
        ValueError: a number is not finite.
    """
    bad = sum(np.count_nonzero(~np.isfinite(one)) for one in arrays)
    if bad:
        raise ValueError(
            f"The model's {what} must be finite to be exported. "
            f"Received: {bad} numbers that are not"
        )


def refuse_far(what: str, checked: dict, tolerance: float) -> None:
    """Raises unless a SavedModel's numbers are near those of the model.

    Args:
        what: str, what the numbers are called.
        checked: dict of a checker: `finite`, `largest_difference`, and `furthest`, the
            text where it is, if it has one.
        tolerance: float, the largest difference that is allowed.

    Raises:
        ExportError: one is further, or not finite.
    """
    difference = checked["largest_difference"]
    if checked["finite"] and difference <= tolerance:
        return
    place = f", the largest in {checked['furthest']!r}" if "furthest" in checked else ""
    raise ExportError(
        f"The SavedModel's {what} must be within {tolerance} of the model's. "
        f"Received: a difference of {difference}{place}"
    )


def refuse_strange_columns(checked: dict, expected: dict) -> None:
    """Raises unless a SavedModel names the columns of its scores as the model does.

    Args:
        checked: dict of a checker: `columns`, lists of str, each once.
        expected: dict of a `reference`: `labels`.

    Raises:
        ExportError: there are others.
    """
    if checked["columns"] != [expected["labels"]]:
        raise ExportError(
            "The SavedModel must give each score with its label, "
            f"{expected['labels']} of every row. Received: {checked['columns']}"
        )


def _until(stop, tokens):
    """The tokens up to the first stop token, which is the last."""
    return tokens[: tokens.index(stop) + 1] if stop in tokens else tokens


def _prompts_that_fit(pipeline):
    room = pipeline.model.max_sequence_length - pipeline.max_new_tokens - 1
    if room < 0:
        raise ValueError(
            "The pipeline's `max_new_tokens` must be below the model's "
            f"max_sequence_length={pipeline.model.max_sequence_length}. "
            f"Received: max_new_tokens={pipeline.max_new_tokens}"
        )
    encode = pipeline.tokenizer.encode
    return [prompt for prompt in PROBES if len(encode(as_bytes(prompt))) <= room]


def _logits(model, sequence):
    """What each token but the first is told from, `(len(sequence) - 1, V)`.

    One sequence at a time: all together they take memory for as many windows.
    """
    width = min(bucket(len(sequence)), model.max_sequence_length)
    # Padding on the right: a causal model's earlier logits do not see it.
    token_ids = np.zeros((1, width), "int32")
    token_ids[0, : len(sequence)] = sequence
    inputs = keras.ops.convert_to_tensor(token_ids)
    logits = keras.ops.convert_to_numpy(model(inputs, training=False))
    logits = logits[0, : len(sequence) - 1]
    refuse_not_finite("logits", logits)
    return np.asarray(logits, "float32")


def _margin(logits):
    best = np.sort(logits, axis=-1)[:, -2:]
    return float((best[:, 1] - best[:, 0]).min(initial=np.inf))
