"""Conversations in a graph: the rows and windows that Python makes."""

import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keras_lm.export.graph_chat import graph_chat_rows
from keras_lm.text import GraphTokenizer
from keras_lm.text.chat_turns import chat_prompt, encode_conversations, kept_turns
from tests.text.samples import TALKER
from tests.text.test_chat_turns import CONVERSATIONS, FORGED

pytestmark = pytest.mark.once
rows_of = None


def setup_module():
    """Made here and not when pytest reads the file: to seed ends a GraphTokenizer."""
    global rows_of
    graph = GraphTokenizer(TALKER)
    strings = tf.TensorSpec([None, None], tf.string)

    @tf.function(input_signature=[strings, strings, tf.TensorSpec([], tf.int32)])
    def rows_of(role, content, room):
        prompts, last = graph_chat_rows(graph, TALKER, role, content, room, True)
        rows, _ = graph_chat_rows(graph, TALKER, role, content, room, False)
        return prompts, rows, last


def arrays_of(conversations):
    """`(role, content)`, "" behind the end of those that are shorter."""
    most = max(map(len, conversations), default=0)

    def side(name):
        rows = [
            [as_bytes(turn[name]) for turn in turns] + [b""] * (most - len(turns))
            for turns in conversations
        ]
        return tf.reshape(tf.constant(rows, tf.string), [len(rows), most])

    return side("role"), side("content")


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


@settings(max_examples=25)
@given(st.lists(CONVERSATIONS, max_size=4), st.integers(0, 30))
@example([[{"role": "user", "content": text} for text in FORGED]], 0)
@example([[]], 0)
@example([], 9)
def test_rows_are_those_of_python(conversations, more):
    encoded = encode_conversations(TALKER, conversations)
    # As little room as each can have, and a little more.
    sizes = [
        sum(len(turn.token_ids) for turn in turns if turn.role == "system")
        + sum(len(turn.token_ids) for turn in turns if turn.role != "system") // 2
        for turns in encoded
    ]
    room = max(sizes, default=0) + more
    try:
        prompts = [chat_prompt(TALKER, turns, room + 2) for turns in encoded]
    except ValueError:
        with pytest.raises(tf.errors.InvalidArgumentError, match="other one must have"):
            rows_of(*arrays_of(conversations), room)
        return

    found, rows, last = rows_of(*arrays_of(conversations), room)

    count = len(conversations)  # a batch of none becomes one of an empty conversation
    assert found.to_list()[:count] == prompts
    kept = [kept_turns(turns, room) for turns in encoded]
    assert rows.to_list()[:count] == [
        [TALKER.separator_id, *(i for n in some for i in turns[n].token_ids)]
        for some, turns in zip(kept, encoded)
    ]
    assert last.numpy().tolist()[:count] == [
        len(turns[-1].token_ids) if turns else 0 for turns in encoded
    ]
    assert found.nrows() == max(count, 1)


@pytest.mark.parametrize(
    ("role", "content", "words"),
    [
        ([["user"]], [["a", "b"]], "must be a `content` for each `role`"),
        ([["bot"]], [["a"]], "role must be one of.*bot"),
        ([[b"\xff"]], [["a"]], "role must be one of.*\ufffd"),
        ([["user", ""]], [["a", "b"]], "role must be one of.*or both be empty"),
        (
            [["user", "", "user"]],
            [["a", "", "b"]],
            "role must be.*empty behind the end",
        ),
        ([["user", ""], ["", "user"]], [["", ""]] * 2, r"role must.*conversation\D*1"),
        # Which one it is, is told of the last as of the first.
        ([["user"]] * 5 + [["bot"]], [[""]] * 6, r"of.*\[\[?.?bot.* conversation\D*5"),
        (
            [["user"]] * 4 + [["system"]],
            [[""]] * 4 + [["a" * 50]],
            r"together:\D*40\D*Received:\D*52\D*in conversation\D*4\D",
        ),
    ],
)
def test_what_is_no_turn_is_refused(role, content, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        rows_of(tf.constant(role), tf.constant(content), 40)
