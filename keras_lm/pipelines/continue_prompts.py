"""Prompts of token ids to the texts that continue them."""

from collections.abc import Callable, Iterator, Sequence

from keras_lm.generation import generate, stream
from keras_lm.pipelines.stop_strings import StopStrings


def continue_prompts(
    model,
    tokenizer,
    prompts: Sequence,
    max_new_tokens: int,
    sampler: Callable | str = "greedy",
    stop: Sequence[str] = (),
    seed: int | None = None,
) -> list[str]:
    """The text that continues each prompt, up to a separator or a stop string.

    Args:
        model: a decoder of the decoding protocol.
        tokenizer: `text.SentencePieceTokenizer` or `text.HuggingFaceTokenizer`.
        prompts: lists of token ids.
        max_new_tokens: int, at least 1.
        sampler: see `generation.generate`.
        stop: list or tuple of strings that end a text; they are not part of it.
        seed: int or `None`.

    Returns:
        list of str: only what is new.

    Raises:
        TypeError: `stop` is of another type.
        ValueError: see `generation.generate`.
    """
    if not prompts:
        return []
    rows = [_Continuation(tokenizer, prompt, stop) for prompt in prompts]
    arguments = {
        "max_new_tokens": max_new_tokens,
        "sampler": sampler,
        "stop_token_ids": [tokenizer.separator_id],
        "seed": seed,
    }
    # One by one, a stop string that all have met ends the loop.
    if stop:
        steps = stream(model, prompts, **arguments)
    else:
        steps = generate(model, prompts, **arguments).T
    for step in steps:
        for row, token_id in zip(rows, step, strict=True):
            row.push(int(token_id))
        if all(row.ended for row in rows):
            break
    return ["".join([*row.pieces, row.flush()]) for row in rows]


def stream_prompt(
    model,
    tokenizer,
    prompt: Sequence[int],
    max_new_tokens: int,
    sampler: Callable | str = "greedy",
    stop: Sequence[str] = (),
    seed: int | None = None,
) -> Iterator[str]:
    """The text that continues one prompt, in pieces as they come.

    Args:
        model: as in `continue_prompts`.
        tokenizer: as in `continue_prompts`.
        prompt: list of token ids.
        max_new_tokens: as in `continue_prompts`.
        sampler: as in `continue_prompts`.
        stop: as in `continue_prompts`.
        seed: as in `continue_prompts`.

    Returns:
        iterator of str, none of them empty, never half a character; together, what
        `continue_prompts` gives.

    Raises:
        TypeError: as `continue_prompts`.
        ValueError: as `continue_prompts`, before the first piece.
    """
    row = _Continuation(tokenizer, prompt, stop)
    steps = stream(
        model,
        [prompt],
        max_new_tokens,
        sampler=sampler,
        stop_token_ids=[tokenizer.separator_id],
        seed=seed,
    )
    return _pieces(row, steps)


class _Continuation:
    """One row while it comes: token ids in, pieces of text out."""

    def __init__(self, tokenizer, prompt, stop):
        self.separator_id = tokenizer.separator_id
        self.decoder = tokenizer.stream_decoder(prompt)
        self.stops = StopStrings(stop)
        self.pieces = []
        self.ended = False

    def push(self, token_id):
        if self.ended or token_id == self.separator_id:
            self.ended = True
            return
        self.pieces.append(self.stops.push(self.decoder.push(token_id)))
        self.ended = self.stops.found

    def flush(self):
        return self.stops.push(self.decoder.flush()) + self.stops.flush()


def _pieces(row, steps):
    for step in steps:
        row.push(int(step[0]))
        if row.pieces and row.pieces[-1]:
            yield row.pieces.pop()
        if row.ended:
            break
    rest = row.flush()
    if rest:
        yield rest
