"""Answers the turns of a chat: a decoder and a tokenizer that knows roles."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from keras_lm.pipelines.check_decoder import check_decoder
from keras_lm.pipelines.continue_prompts import continue_prompts, stream_prompt
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.score_rows import score_rows
from keras_lm.text.chat_turns import (
    chat_prompt,
    encode_conversations,
    kept_row,
    role_ids_of,
)


class ChatGenerator:
    """Turns in, the assistant's next one out.

    A conversation is laid out as `text.chat_dataset` does it, and its end is the
    assistant's token: what the model says from there up to the separator, a stop
    string, or for `max_new_tokens` tokens, is the reply. Nothing that is written in a
    turn can begin or end one.

    What the model cannot hold beside `max_new_tokens` leaves the window: the oldest
    turns, each as a whole. The system's turns stay, and so does the last one. No turn
    is kept between calls: append the reply to the list.

    Args:
        model: a decoder of the decoding protocol, for example
            `models.TransformerDecoder`.
        tokenizer: `text.SentencePieceTokenizer` with roles: see its `with_roles`.
        max_new_tokens: int, at least 1. Default of the calls, and what an exported
            `serving_default` uses.

    Raises:
        ValueError: the vocabularies of model and tokenizer differ in size, the
            tokenizer has no roles, or `max_new_tokens` is below 1 or leaves no room
            for 2 tokens more in the model.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["Hello! Hi."] * 5, 300)
        >>> tokenizer = tokenizer.with_roles()
        >>> model = keras_lm.models.TransformerDecoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> chat = ChatGenerator(model, tokenizer, max_new_tokens=4)
        >>> turns = [{"role": "system", "content": "Be short."},
        ...          {"role": "user", "content": "Hello!"}]
        >>> turns.append({"role": "assistant", "content": chat(turns)})
        >>> isinstance(turns[-1]["content"], str)
        True
    """

    def __init__(self, model, tokenizer, max_new_tokens: int = 64):
        check_decoder(model, tokenizer)
        role_ids_of(tokenizer)
        self.model = model
        self.tokenizer = tokenizer
        self.max_new_tokens = self._checked(max_new_tokens)

    def __call__(
        self,
        turns,
        max_new_tokens: int | None = None,
        sampler: Callable | str = "greedy",
        stop: Sequence[str] = (),
        seed: int | None = None,
    ):
        """The reply to each conversation.

        Args:
            turns: list of dictionaries of "role" ("system", "user" or "assistant") and
                "content", str or UTF-8 bytes; or a list of such lists, of which one may
                be empty: then the assistant speaks first.
            max_new_tokens: int, at least 1; the pipeline's own when `None`.
            sampler: see `generation.generate`.
            stop: strings that end a reply; they are not part of it.
            seed: int or `None`.

        Returns:
            str for one conversation, list of str otherwise.

        Raises:
            TypeError: a conversation, a turn, a content or `stop` is of another type.
            ValueError: `turns` is empty, a role is unknown, the system's turns and the
                last one do not fit the model beside the new tokens, or an argument is
                out of range.
        """
        conversations, is_one = _conversations(turns)
        most = self._most(max_new_tokens)
        prompts = self._prompts(conversations, most)
        replies = continue_prompts(
            self.model, self.tokenizer, prompts, most, sampler, stop, seed
        )
        return replies[0] if is_one else replies

    def stream(
        self,
        turns: Sequence,
        max_new_tokens: int | None = None,
        sampler: Callable | str = "greedy",
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> Iterator[str]:
        """The reply to one conversation, in pieces as they come.

        Args:
            turns: list of dictionaries, as in the call; here it may be empty.
            max_new_tokens: as in the call.
            sampler: as in the call.
            stop: as in the call.
            seed: as in the call.

        Returns:
            iterator of str, never half a character; together, what the call gives.

        Raises:
            TypeError: as the call.
            ValueError: as the call, before the first piece.
        """
        most = self._most(max_new_tokens)
        (prompt,) = self._prompts([turns], most)
        return stream_prompt(
            self.model, self.tokenizer, prompt, most, sampler, stop, seed
        )

    def score(self, conversations: Sequence) -> np.ndarray:
        """How likely the model finds the last turn of each conversation.

        Given the turns before it, of which the oldest leave the window, and its role.

        Args:
            conversations: list of lists of turns, none of them empty.

        Returns:
            float32 `(len(conversations),)`: log-likelihoods, nats, at most 0; the sum
            over the tokens of the content and the separator behind it.

        Raises:
            TypeError: a conversation, a turn or a content is of another type.
            ValueError: a conversation has no turn, a role is unknown, or the system's
                turns and the last one do not fit the model.
        """
        rows, firsts = [], []
        for place, turns in enumerate(
            encode_conversations(self.tokenizer, conversations)
        ):
            if not turns:
                raise ValueError(
                    "A conversation must have a turn to score. "
                    f"Received: none in conversation {place}"
                )
            room = self.model.max_sequence_length
            rows.append(kept_row(self.tokenizer.separator_id, turns, room, place))
            # Behind the role's token, which is given.
            firsts.append(len(rows[-1]) - len(turns[-1].token_ids) + 1)
        return score_rows(self.model, rows, firsts)

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes model and tokenizer to one directory, complete or not at all.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        settings = {"max_new_tokens": self.max_new_tokens}
        save_pipeline(self, directory, settings, overwrite)

    def _most(self, max_new_tokens):
        """New tokens of a call."""
        own = max_new_tokens is None
        return self._checked(self.max_new_tokens if own else max_new_tokens)

    def _checked(self, max_new_tokens):
        """With room beside for the separator and the assistant's token."""
        limit = self.model.max_sequence_length
        is_int = isinstance(max_new_tokens, (int, np.integer))
        if not is_int or not 1 <= max_new_tokens <= limit - 2:
            raise ValueError(
                "`max_new_tokens` must be an int, at least 1, and leave room for 2 "
                f"tokens more in the model's max_sequence_length={limit}. "
                f"Received: max_new_tokens={max_new_tokens!r}"
            )
        return int(max_new_tokens)

    def _prompts(self, conversations, max_new_tokens):
        encoded = encode_conversations(self.tokenizer, conversations)
        room = self.model.max_sequence_length - max_new_tokens
        return [
            chat_prompt(self.tokenizer, turns, room, place)
            for place, turns in enumerate(encoded)
        ]


def _conversations(turns):
    """`(conversations, is_one)`."""
    is_list = isinstance(turns, Iterable) and not isinstance(turns, Mapping)
    if not is_list or isinstance(turns, (str, bytes)):
        raise TypeError(f"`turns` must be a list of turns. Received: {turns!r:.50}")
    turns = list(turns)
    if not turns:
        raise ValueError(
            "`turns` must hold a turn, or a list of turns, which may be empty. "
            "Received: an empty list"
        )
    is_one = not isinstance(turns[0], (list, tuple))
    return ([turns] if is_one else turns), is_one
