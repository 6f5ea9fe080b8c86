"""Beam search for many sources: in batches by length, answers as pieces of text."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_lm import generation
from keras_lm.generation.generate import bucket

_STREAMED = (1, 2, 4, 8, 16)  # tokens at a time; the last for ever


class Found(NamedTuple):
    """One answer to a source.

    Args:
        pieces: list of bytes: what each of its tokens adds to the text.
        score: float.
        finished: bool. Whether it ended, rather than being cut off.
    """

    pieces: list[bytes]
    score: float
    finished: bool


def search_rows(
    model,
    rows,
    source_tokenizer,
    target_tokenizer,
    max_batch_tokens: int = 2048,
    replace_unknown: bool = False,
    **options,
) -> list[list[Found]]:
    """Searches the answers to each source; a source without tokens has the empty one.

    Batches are filled up to a power of two, so that few loops compile.

    Args:
        model: an encoder-decoder of the decoding protocol.
        rows: lists of source token ids, without special tokens.
        source_tokenizer: `text.SentencePieceTokenizer`.
        target_tokenizer: the same, of the answers.
        max_batch_tokens: int. Source tokens of a batch, padding included.
        replace_unknown: bool. Whether an unknown token is replaced by the source token
            that was most looked at.
        **options: of `generation.beam_search`.

    Returns:
        for each row a list of `Found`, best first, at least one.

    Raises:
        ValueError: as `generation.beam_search`.
    """
    separator = source_tokenizer.separator_id
    sources = [[*row, separator] for row in rows if row]
    batches, order = generation.batches_by_length(sources, max_batch_tokens)
    answers = []
    for batch in batches:
        width = bucket(len(sources[batch[0]]))
        filled = fill_batch(batch, max_batch_tokens // width)
        found = generation.beam_search(
            model,
            [sources[i] for i in filled],
            target_tokenizer.separator_id,
            stop_token_ids=[target_tokenizer.separator_id],
            return_attention=replace_unknown,
            **options,
        )
        for place, i in enumerate(batch):
            source = sources[i][:-1] if replace_unknown else None
            answers.append(
                _answers_of(found, place, source, source_tokenizer, target_tokenizer)
            )
    in_order = iter([answers[place] for place in order])
    return [next(in_order) if row else [Found([], 0.0, True)] for row in rows]


def stream_row(
    model,
    row,
    source_tokenizer,
    target_tokenizer,
    max_new_tokens: int,
    min_new_tokens: int = 0,
    **options,
) -> Iterator[int]:
    """The greedy answer to one source, token by token.

    It is searched for 1, 2, 4, 8, 16, 16, .. tokens, each time from the source and the
    tokens so far: these are certain, for a beam of 1 never changes its mind.

    Args:
        model: an encoder-decoder of the decoding protocol.
        row: list of source token ids, without special tokens, at least one.
        source_tokenizer: has `separator_id`.
        target_tokenizer: has `separator_id`.
        max_new_tokens: int, at least 1.
        min_new_tokens: int, at least 0.
        **options: of `generation.beam_search`.

    Returns:
        iterator of int, without the separator at the end.

    Raises:
        ValueError: as `generation.beam_search`.
    """
    stop, said = target_tokenizer.separator_id, []
    for turn in range(max_new_tokens):
        size = _STREAMED[min(turn, len(_STREAMED) - 1)]
        found = generation.beam_search(
            model,
            [[*row, source_tokenizer.separator_id]],
            stop,
            beam_size=1,
            max_new_tokens=min(size, max_new_tokens - len(said)),
            stop_token_ids=[stop],
            target_prefix=[said],
            min_new_tokens=max(min_new_tokens - len(said), 0),
            **options,
        )
        for token_id in found.token_ids[0, 0].tolist():
            if token_id == stop:
                return
            said.append(token_id)
            yield token_id
        if len(said) == max_new_tokens:
            return


def fill_batch(rows: np.ndarray, largest: int) -> np.ndarray:
    """A batch of one of few sizes, so that few loops compile.

    Args:
        rows: int array, the numbers of its rows.
        largest: int. Rows of the largest batch.

    Returns:
        int array: `rows`, then some of them again, up to a power of two or `largest`.
    """
    size = min(1 << (len(rows) - 1).bit_length(), largest)
    return np.resize(rows, max(size, len(rows)))


def _answers_of(found, place, source, source_tokenizer, target_tokenizer):
    """The hypotheses of one row of a batch; `source` when unknown tokens are replaced.

    An empty place, where there was no other hypothesis, is left out.
    """
    answers = []
    for number, score in enumerate(found.scores[place].tolist()):
        row = found.token_ids[place, number].tolist()
        token_ids = _until(row, target_tokenizer.separator_id)
        pieces = [target_tokenizer.vocabulary_bytes[n] for n in token_ids]
        if source is not None:
            looked = found.attention[place, number][: len(token_ids)]
            known = [source_tokenizer.vocabulary_bytes[n] for n in source]
            marked = [
                None if n == target_tokenizer.unknown_id else piece
                for n, piece in zip(token_ids, pieces, strict=True)
            ]
            pieces = generation.replace_unknown(marked, looked, known, None)
        if np.isfinite(score):
            answers.append(Found(pieces, score, len(token_ids) < len(row)))
    return answers


def _until(token_ids, stop):
    """The tokens before the separator."""
    return token_ids[: token_ids.index(stop)] if stop in token_ids else token_ids
