"""Beam search for many sources: in batches by length, answers as pieces of text."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from keras_lm import generation
from keras_lm.generation.generate import bucket
from keras_lm.pipelines.check_search_options import check_search_options

_STREAMED = (1, 2, 4, 8, 16)  # tokens at a time; the last for ever


class Found(NamedTuple):
    """One answer to a source.

    Args:
        pieces: list of bytes: what each of its tokens adds to the text, those of its
            prefix first.
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
    target_prefix: Sequence[Sequence[int]] | None = None,
    *,
    max_new_tokens: int,
    **options,
) -> list[list[Found]]:
    """Searches the answers to each source; to one without tokens nothing is added.

    Batches are filled up to a power of two, so that few loops compile.

    Args:
        model: an encoder-decoder of the decoding protocol.
        rows: lists of source token ids, without special tokens.
        source_tokenizer: `text.SentencePieceTokenizer`.
        target_tokenizer: the same, of the answers.
        max_batch_tokens: int. Source tokens of a batch, padding included.
        replace_unknown: bool. Whether an unknown token is replaced by the source token
            that was most looked at.
        target_prefix: for each row the tokens (maybe none) with which its answers
            begin.
        max_new_tokens: int. Behind a prefix that leaves no room for so many it is what
            the model can write.
        **options: of `generation.beam_search`.

    Returns:
        for each row a list of `Found`, best first, at least one.

    Raises:
        TypeError: an option is unknown, or one that the pipeline gives itself.
        ValueError: as `generation.beam_search`, a prefix leaves no room, or no answer
            has a finite score.
    """
    check_search_options(options)
    prefixes = [[]] * len(rows) if target_prefix is None else target_prefix
    begun = [_bytes_of(prefix, target_tokenizer) for prefix in prefixes]
    answers = [[Found(pieces, 0.0, True)] for pieces in begun]
    sources = {i: [*r, source_tokenizer.separator_id] for i, r in enumerate(rows) if r}
    room = _rooms(model, prefixes, max_new_tokens)
    for batch, limit in _batches(sources, room, max_batch_tokens):
        width = bucket(len(sources[batch[0]]))
        filled = fill_batch(batch, max_batch_tokens // width)
        found = generation.beam_search(
            model,
            [sources[i] for i in filled],
            target_tokenizer.separator_id,
            max_new_tokens=limit,
            stop_token_ids=[target_tokenizer.separator_id],
            target_prefix=target_prefix and [target_prefix[i] for i in filled],
            return_attention=replace_unknown,
            **options,
        )
        for place, i in enumerate(batch):
            source = rows[i] if replace_unknown else None
            added = _answers_of(
                found, place, source, source_tokenizer, target_tokenizer
            )
            answers[i] = [
                one._replace(pieces=[*begun[i], *one.pieces]) for one in added
            ]
    return answers


def stream_row(
    model,
    row,
    source_tokenizer,
    target_tokenizer,
    max_new_tokens: int,
    min_new_tokens: int = 0,
    replace_unknown: bool = False,
    target_prefix: Sequence[int] = (),
    **options,
) -> Iterator[bytes]:
    """The greedy answer to one source, token by token.

    It is searched for 1, 2, 4, 8, 16, 16, .. tokens, each time from the source and the
    tokens so far: these are certain, for a beam of 1 never changes its mind.

    Args:
        model: an encoder-decoder of the decoding protocol.
        row: list of source token ids, without special tokens, at least one.
        source_tokenizer: see `search_rows`.
        target_tokenizer: the same.
        max_new_tokens: int, at least 1; see `search_rows`.
        min_new_tokens: int, at least 0.
        replace_unknown: see `search_rows`.
        target_prefix: tokens with which the answer begins.
        **options: of `generation.beam_search`.

    Returns:
        iterator of bytes: what each token adds to the text, those of the prefix first.

    Raises:
        TypeError, ValueError: as `search_rows`, with the first token.
    """
    check_search_options(options)
    stop, said, made = target_tokenizer.separator_id, list(target_prefix), 0
    (limit,) = _rooms(model, [said], max_new_tokens)
    yield from _bytes_of(said, target_tokenizer)
    for size in itertools.chain(_STREAMED, itertools.repeat(_STREAMED[-1])):
        found = generation.beam_search(
            model,
            [[*row, source_tokenizer.separator_id]],
            stop,
            beam_size=1,
            max_new_tokens=min(size, limit - made),
            stop_token_ids=[stop],
            target_prefix=[said],
            min_new_tokens=max(min_new_tokens - made, 0),
            return_attention=replace_unknown,
            **options,
        )
        source = row if replace_unknown else None
        ((pieces, _, ended),) = _answers_of(
            found, 0, source, source_tokenizer, target_tokenizer
        )
        yield from pieces
        said = [*said, *found.token_ids[0, 0].tolist()]
        made = len(said) - len(target_prefix)
        if ended or made == limit:
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
        pieces = _bytes_of(token_ids, target_tokenizer)
        if source is not None:
            looked = found.attention[place, number][: len(token_ids)]
            known = _bytes_of(source, source_tokenizer)
            marked = [
                None if n == target_tokenizer.unknown_id else piece
                for n, piece in zip(token_ids, pieces, strict=True)
            ]
            pieces = generation.replace_unknown(marked, looked, known, None)
        if np.isfinite(score):
            answers.append(Found(pieces, score, len(token_ids) < len(row)))
    if not answers:
        raise ValueError(
            "The score of an answer must be a finite number, and of a model whose "
            f"training diverged none is. Received: {found.scores[place].tolist()}"
        )
    return answers


def _until(token_ids, stop):
    """The tokens before the separator."""
    return token_ids[: token_ids.index(stop)] if stop in token_ids else token_ids


def _bytes_of(token_ids, tokenizer):
    return [tokenizer.vocabulary_bytes[n] for n in token_ids]


def _rooms(model, prefixes, max_new_tokens):
    """How many tokens each answer may have behind its prefix."""
    if not any(map(len, prefixes)):
        return [max_new_tokens] * len(prefixes)
    most = model.max_sequence_length - 1  # the start token
    longest = max(map(len, prefixes))
    if longest >= most:
        raise ValueError(
            f"A prefix must have at most {most - 1} tokens, for an answer to fit the "
            f"model. Received: {longest} tokens"
        )
    return [min(max_new_tokens, most - len(prefix)) for prefix in prefixes]


def _batches(sources, rooms, max_batch_tokens):
    """`(numbers, max_new_tokens)` of batches of rows; `sources` are by number."""
    by_room = {}
    for i in sources:
        by_room.setdefault(rooms[i], []).append(i)
    for room, numbers in by_room.items():
        numbers = np.array(numbers)
        batches, _ = generation.batches_by_length(
            [sources[i] for i in numbers], max_batch_tokens
        )
        for batch in batches:
            yield numbers[batch], room
