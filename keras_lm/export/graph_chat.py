"""Conversations as a decoder's rows, inside a TensorFlow graph.

TensorFlow is imported where it is used.
"""

from keras_lm.text.chat_turns import ANSWERS, STAYS


def graph_chat_rows(graph_tokenizer, tokenizer, role, content, room, answers: bool):
    """What `chat_prompt` and `score` of a `ChatGenerator` lay out, in a graph.

    Shapes: `B` conversations, `N` turns of the longest.

    Args:
        graph_tokenizer: `text.GraphTokenizer`.
        tokenizer: `text.SentencePieceTokenizer` with roles.
        role: string `(B, N)`, "" behind the end of a conversation.
        content: string `(B, N)`.
        room: int `()`. Most tokens of the turns that are kept.
        answers: bool. Whether the assistant's token stands at the end.

    Returns:
        `(rows, last)`: `tf.RaggedTensor` of int32, `(B, None)`, the separator and the
        turns that fit; and int32 `(B,)`, the tokens of the last turn, 0 where there is
        none.

    Raises:
        InvalidArgumentError: `role` and `content` differ in shape, a role is unknown,
            or the system's turns and the last other one do not fit.
    """
    import tensorflow as tf

    separator = tokenizer.separator_id
    role, content, is_turn, marks = _checked(tokenizer, role, content)
    shape = tf.shape(role)
    tokens = graph_tokenizer.encode(tf.reshape(content, [-1]))  # (B N, None)
    marks, count = tf.reshape(marks, [-1, 1]), tf.size(content)
    turns = tf.concat([marks, tokens, tf.fill([count, 1], separator)], axis=1)
    sizes = tf.reshape(tf.cast(turns.row_lengths(), tf.int32), shape)
    sizes = tf.where(is_turn, sizes, 0)  # (B, N)
    stays = role == STAYS
    fits, faults = _window(sizes, stays, room)
    with tf.control_dependencies(faults):
        kept = is_turn & (stays | fits)
    said = tf.RaggedTensor.from_row_lengths(
        tf.ragged.boolean_mask(turns, tf.reshape(kept, [-1])).flat_values,
        tf.reduce_sum(tf.where(kept, sizes, 0), axis=1),
    )
    rows = [tf.fill([shape[0], 1], separator), said]
    if answers:
        rows.append(tf.fill([shape[0], 1], tokenizer.role_ids[ANSWERS]))
    places = tf.where(is_turn, tf.range(shape[1]), 0)
    last = tf.gather(sizes, tf.reduce_max(places, axis=1), batch_dims=1)
    return tf.concat(rows, axis=1), last


def first_place(is_fault):
    """The first row of a fault: an assertion prints few numbers, and not the last.

    Args:
        is_fault: bool `(B, ...)`.

    Returns:
        int64 `(1,)`, or `(0,)` where there is none.
    """
    import tensorflow as tf

    return tf.where(is_fault)[:1, 0]


def _window(sizes, stays, room):
    """`(fits, faults)`: of turns that may leave, bool `(B, N)`, and an assertion."""
    import tensorflow as tf

    used = tf.reduce_sum(tf.where(stays, sizes, 0), axis=1, keepdims=True)
    others = tf.where(stays, 0, sizes)
    behind = tf.cumsum(others, axis=1, reverse=True)  # of each and those behind it
    needed = used[:, 0] + tf.reduce_sum(tf.where(behind == others, others, 0), axis=1)
    message = (
        "The system's turns and the last other one must have at most so many tokens "
        "together:"
    )
    place = first_place(needed > room)
    fault = tf.debugging.Assert(
        tf.equal(tf.size(place), 0),
        [
            message,
            room,
            "Received:",
            tf.gather(needed, place),
            "in conversation",
            place,
        ],
    )
    return used + behind <= room, [fault]


def _checked(tokenizer, role, content):
    """Both, with room for a turn that is none; where there is one; and their marks."""
    import tensorflow as tf

    names = tf.constant(list(tokenizer.role_ids))
    numbers = tf.constant(list(tokenizer.role_ids.values()), tf.int32)
    shapes = tf.shape(role), tf.shape(content)
    message = "There must be a `content` for each `role`. Received: shapes"
    same = tf.debugging.Assert(tf.reduce_all(tf.equal(*shapes)), [message, *shapes])
    with tf.control_dependencies([same]):
        # Some ops want a row, and reductions a turn.
        more = [[0, 1 - tf.minimum(shapes[0][0], 1)], [0, 1]]
        role, content = (
            tf.pad(one, more, constant_values="") for one in (role, content)
        )
    is_role = role[..., tf.newaxis] == names  # (B, N, 3)
    is_turn = tf.reduce_any(is_role, axis=-1)
    behind = tf.cumsum(tf.cast(is_turn, tf.int32), axis=1, reverse=True) == 0
    is_none = (role == "") & (content == "") & behind
    message = (
        f"A role must be one of {list(tokenizer.role_ids)}, or both be empty behind "
        "the end of a conversation."
    )
    is_fault = ~(is_turn | is_none)
    fault = tf.boolean_mask(role, is_fault)[:1]
    # A message that is no UTF-8 would be another error in Python.
    fault = tf.strings.unicode_transcode(fault, "UTF-8", "UTF-8", errors="replace")
    known = tf.debugging.Assert(
        tf.equal(tf.size(fault), 0),
        [message, "Received:", fault, "in conversation", first_place(is_fault)],
    )
    with tf.control_dependencies([known]):
        marks = tf.reduce_sum(tf.where(is_role, numbers, 0), axis=-1)
    return role, content, is_turn, marks
