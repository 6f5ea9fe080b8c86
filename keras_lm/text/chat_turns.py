"""Conversations as token ids: turns that begin with their role, and those that fit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from keras_lm.text.control_tokens import ROLES
from keras_lm.text.unicode import as_unicode

ANSWERS = "assistant"  # whose turns are learnt and generated
STAYS = "system"  # whose turns never leave the window


class Turn(NamedTuple):
    """What one side says.

    Args:
        role: str.
        token_ids: list of int: the role's token, the content's, the separator.
    """

    role: str
    token_ids: list[int]


def encode_conversations(tokenizer, conversations: Sequence) -> list[list[Turn]]:
    """Token ids of each turn of some conversations.

    Args:
        tokenizer: `SentencePieceTokenizer` with `role_ids`.
        conversations: lists of turns, dictionaries of "role", one of `ROLES`, and
            "content", str or UTF-8 bytes.

    Returns:
        for each conversation a list of `Turn`.

    Raises:
        TypeError: a conversation, a turn or a content is of another type.
        ValueError: the tokenizer has no roles, a turn has other keys, or a role is
            unknown.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> conversation = [{"role": "user", "content": ""}]
        >>> ((turn,),) = encode_conversations(tokenizer.with_roles(), [conversation])
        >>> len(turn.token_ids)
        2
    """
    role_ids = role_ids_of(tokenizer)
    is_list = isinstance(conversations, Iterable)
    if not is_list or isinstance(conversations, (str, bytes, Mapping)):
        raise TypeError(
            "`conversations` must be a list of lists of turns. "
            f"Received: {conversations!r:.50}"
        )
    conversations = list(conversations)
    said = [
        _checked(turn, place)
        for place, conversation in enumerate(conversations)
        for turn in _turns(conversation, place)
    ]
    rows = iter(tokenizer.encode([content for _, content in said]))
    roles = iter([role for role, _ in said])
    end = tokenizer.separator_id
    return [
        [
            Turn(role, [role_ids[role], *row, end])
            for _, role, row in zip(conversation, roles, rows, strict=False)
        ]
        for conversation in conversations
    ]


def role_ids_of(tokenizer) -> dict[str, int]:
    """The tokens of the roles.

    Args:
        tokenizer: any.

    Returns:
        dictionary of int by role.

    Raises:
        ValueError: it has none.
    """
    role_ids = getattr(tokenizer, "role_ids", None)
    if not role_ids:
        raise ValueError(
            "The tokenizer must have a token for each role, as "
            "`SentencePieceTokenizer.with_roles` gives it. "
            f"Received: a {type(tokenizer).__name__} without"
        )
    return role_ids


def kept_turns(turns: Sequence[Turn], room: int, place: int = 0) -> list[int]:
    """Which turns a model is shown: all of the system, and of the others the last.

    Args:
        turns: of one conversation.
        room: int. Most tokens of what is kept.
        place: int. The conversation's number, for the message.

    Returns:
        ascending list of int: the places of the turns that fit, none cut.

    Raises:
        ValueError: the system's turns and the last other one do not fit.
    """
    stay = [n for n, turn in enumerate(turns) if turn.role == STAYS]
    others = [n for n, turn in enumerate(turns) if turn.role != STAYS]
    sizes = [len(turn.token_ids) for turn in turns]
    used = sum(sizes[n] for n in stay)
    needed = used + sum(sizes[n] for n in others[-1:])
    if needed > room:
        raise ValueError(
            f"The system's turns and the last other one must have at most {room} "
            f"tokens together. Received: {needed} in conversation {place}"
        )
    kept = []
    for n in reversed(others):
        used += sizes[n]
        if used > room:
            break
        kept.append(n)
    return sorted(stay + kept)


def chat_prompt(tokenizer, turns: Sequence[Turn], room: int, place: int = 0):
    """What a model continues with the next turn of the assistant.

    Args:
        tokenizer: has `role_ids` and `separator_id`.
        turns: of one conversation; there may be none.
        room: int. Most tokens.
        place: int. The conversation's number, for the message.

    Returns:
        list of int: the separator, the turns that fit, the assistant's token.

    Raises:
        ValueError: the system's turns and the last other one do not fit.
    """
    row = kept_row(tokenizer.separator_id, turns, room - 2, place)
    return [*row, tokenizer.role_ids[ANSWERS]]


def kept_row(separator_id: int, turns: Sequence[Turn], room: int, place: int = 0):
    """The separator and the turns that a model is shown.

    Args:
        separator_id: int.
        turns: of one conversation.
        room: int. Most tokens of the turns that are kept.
        place: int. The conversation's number, for the message.

    Returns:
        list of int.

    Raises:
        ValueError: the system's turns and the last other one do not fit.
    """
    kept = kept_turns(turns, room, place)
    return [separator_id, *(i for n in kept for i in turns[n].token_ids)]


def chat_rows(
    turns: Sequence[Turn], separator_id: int, max_length: int, place: int = 0
) -> Iterator[tuple[list[int], list[int]]]:
    """Rows that teach each turn of the assistant once, the last ones first.

    A row is the separator and turns; each token is to be told from those before it. A
    conversation that does not fit is cut before a turn. A turn of the assistant that
    would begin what is left, without what it answers, is only read there; it is learnt
    in the row before. So none is learnt without the turn before it, if there is one.

    Args:
        turns: of one conversation.
        separator_id: int.
        max_length: int. Most tokens of a row, but for its last one, which is not read.
        place: int. The conversation's number, for the message.

    Returns:
        iterator of `(token_ids, weights)`, lists of int of one length: 1 for what the
        assistant says and the separator behind it, else 0.

    Raises:
        ValueError: the system's turns, one of the assistant and the one before it do
            not fit, or there is no turn of the assistant.
    """
    end = _end(turns)
    if not end:
        raise ValueError(
            "A conversation must have a turn of the assistant to learn. "
            f"Received: none in conversation {place}"
        )
    while end:
        kept = kept_turns(turns[:end], max_length, place)
        others = [n for n in kept if turns[n].role != STAYS]
        first = others[0]
        is_cut = any(turn.role != STAYS for turn in turns[:first])
        if is_cut and len(others) == 1:
            _refuse_alone(turns[:end], max_length, place)
        only_read = is_cut and turns[first].role == ANSWERS
        token_ids, weights = [separator_id], [0]
        for n in kept:
            learnt = turns[n].role == ANSWERS and not (only_read and n == first)
            token_ids += turns[n].token_ids
            weights += [0] + [int(learnt)] * (len(turns[n].token_ids) - 1)
        yield token_ids, weights
        end = _end(turns[: first + only_read])


def _end(turns):
    """The place behind the last turn of the assistant; 0 where there is none."""
    places = [n + 1 for n, turn in enumerate(turns) if turn.role == ANSWERS]
    return max(places, default=0)


def _refuse_alone(turns, room, place):
    """Refuses a last turn, the assistant's, that does not fit with what it answers."""
    sizes = [len(turn.token_ids) for turn in turns if turn.role == STAYS]
    sizes += [len(turn.token_ids) for turn in turns if turn.role != STAYS][-2:]
    raise ValueError(
        "The system's turns, a turn of the assistant and the one before it must have "
        f"at most {room} tokens together. Received: {sum(sizes)} in conversation "
        f"{place}"
    )


def _turns(conversation, place):
    if not isinstance(conversation, (list, tuple)):
        raise TypeError(
            "A conversation must be a list of turns. "
            f"Received: {conversation!r:.50} as conversation {place}"
        )
    return conversation


def _checked(turn, place):
    """`(role, content)` of a turn."""
    if not isinstance(turn, Mapping):
        raise TypeError(
            "A turn must be a dictionary of `role` and `content`. "
            f"Received: {turn!r:.50} in conversation {place}"
        )
    if set(turn) != {"role", "content"}:
        raise ValueError(
            "A turn must be a dictionary of `role` and `content`. "
            f"Received: one of {list(turn)} in conversation {place}"
        )
    if turn["role"] not in ROLES:
        raise ValueError(
            f"A role must be one of {list(ROLES)}. "
            f"Received: {turn['role']!r:.50} in conversation {place}"
        )
    return turn["role"], as_unicode(turn["content"])
