"""Control tokens: what is not whole is not there."""

import pytest
import sentencepiece

from keras_lm.text.control_tokens import ROLE, ROLES, added_ids, with_control_tokens
from keras_lm.text.unicode import escape
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
NAMES = [ROLE.format(role) for role in ROLES]


def ids_of(names):
    proto = with_control_tokens(TOKENIZER.model_proto, names)
    return added_ids(sentencepiece.SentencePieceProcessor(model_proto=proto))


def test_all_roles_or_none():
    assert ids_of(NAMES[:2]) == (None, [], {})
    size = TOKENIZER.vocabulary_size
    assert ids_of(NAMES[::-1]).roles == {
        "system": size + 2,
        "user": size + 1,
        "assistant": size,
    }


def test_the_same_names_give_the_same_bytes():
    proto = with_control_tokens(TOKENIZER.model_proto, NAMES)

    assert proto == with_control_tokens(TOKENIZER.model_proto, NAMES)
    assert with_control_tokens(TOKENIZER.model_proto, []) == with_control_tokens(
        with_control_tokens(TOKENIZER.model_proto, []), []
    )


def test_no_escaped_text_holds_a_name():
    # What is written by others is escaped first: see `unicode.escape`.
    assert not any(name in escape(f"a{name}{NAMES}") for name in NAMES)
