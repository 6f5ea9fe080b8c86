"""Tokens behind a vocabulary that no text gives: masks, sentinels, roles."""

from collections.abc import Sequence
from typing import NamedTuple

from keras_lm.text.unicode import ESCAPE

ROLES = ("system", "user", "assistant")

# No escaped text has ESC before "<", so no piece learnt from a text is called so.
# (And no text gives a control piece, whatever it is called.)
MASK, SENTINEL = f"{ESCAPE}<mask>", f"{ESCAPE}<extra_id_{{}}>"
ROLE = f"{ESCAPE}<role_{{}}>"


class AddedIds(NamedTuple):
    """The ids of tokens that were added to a model.

    Args:
        mask: int, or `None`.
        sentinels: list of int.
        roles: dictionary of int by role: of all three, or of none.
    """

    mask: int | None
    sentinels: list[int]
    roles: dict[str, int]


def added_ids(processor) -> AddedIds:
    """What has been added to a SentencePiece model, if anything has.

    Args:
        processor: `SentencePieceProcessor`.

    Returns:
        `AddedIds`.
    """

    def known(name):
        token_id = processor.piece_to_id(name)
        is_it = processor.id_to_piece(token_id) == name
        return token_id if is_it and processor.is_control(token_id) else None

    sentinels = []
    while (token_id := known(SENTINEL.format(len(sentinels)))) is not None:
        sentinels.append(token_id)
    roles = {role: known(ROLE.format(role)) for role in ROLES}
    roles = {role: token_id for role, token_id in roles.items() if token_id is not None}
    return AddedIds(known(MASK), sentinels, roles if len(roles) == len(ROLES) else {})


def with_control_tokens(model_proto: bytes, names: Sequence[str]) -> bytes:
    """A SentencePiece model with more tokens behind its vocabulary.

    Args:
        model_proto: bytes of a model.
        names: of the tokens, none of which it has.

    Returns:
        bytes; the same for the same arguments.
    """
    from sentencepiece import sentencepiece_model_pb2

    # Made when it is imported.
    model = sentencepiece_model_pb2.ModelProto  # pyright: ignore
    proto, control = model.FromString(model_proto), model.SentencePiece.CONTROL
    for name in names:
        proto.pieces.add(piece=name, score=0.0, type=control)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    return proto.SerializeToString(deterministic=True)
