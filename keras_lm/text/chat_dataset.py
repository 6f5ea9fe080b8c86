"""Conversations to batches that teach the turns of the assistant."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.bucketed_batches import bucketed_batches
from keras_lm.text.chat_turns import chat_rows, encode_conversations
from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.length_buckets import length_buckets
from keras_lm.text.pad_rows import pad_rows


def chat_dataset(
    conversations: Sequence,
    tokenizer,
    max_length: int,
    batch_size: int = 32,
    *,
    num_buckets: int = 4,
    shuffle: bool = True,
    seed: int = 0,
    repeat: bool = False,
):
    """Batches of conversations and of the tokens that come next, for `model.fit`.

    A conversation is a separator and its turns, each of them its role's token, the
    tokens of its content, and a separator:

        separator [user] Hello! separator [assistant] Hi. separator
        0         0      0 0    0         0           1 1 1

    Below stand the weights in the loss: only what the assistant says is learnt, and to
    end there. A role's token is given to no text, so what stands in a content cannot
    begin a turn.

    A conversation longer than `max_length` becomes several rows, cut before a turn and
    never within one: the last turns that fit are a row, those before them another, and
    so on. The system's turns before its last one stand in each. Each turn of the
    assistant is learnt once, after as many turns before it as its row has: at least the
    one that it answers, if the assistant does not speak first. Turns that no answer
    follows in their row are left out.

    Rows of about one length share a batch, in at most `num_buckets` shapes: each is
    compiled once by XLA. Rows that fill the last batch of a shape weigh 0. Which rows
    share a batch, and the order of the batches, are drawn anew in each pass from `seed`
    and the number of the pass only: see `language_model_dataset` for `repeat` and for
    going on in another process.

    Shapes: `B` rows, `T` tokens of the longest; both differ between batches.

    Args:
        conversations: lists of turns, dictionaries of "role" ("system", "user" or
            "assistant") and "content", str or UTF-8 bytes. Roles may come in any order.
        tokenizer: `SentencePieceTokenizer` with roles: see its `with_roles`. The model
            must be made for its `vocabulary_size`.
        max_length: int, at least 1. Most tokens of a row; a model takes its
            `max_sequence_length`.
        batch_size: int, at least 1. Most rows of a batch.
        num_buckets: int, at least 1.
        shuffle: bool. `False` keeps one order in all passes: short rows first.
        seed: int, 0 or above.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(token_ids, next_token_ids,
        weights)`: int32, int32 and float32 `(B, T)`.

    Raises:
        TypeError: a conversation, a turn or a content is of another type.
        ValueError: a number is out of range, the tokenizer has no roles, a role is
            unknown, there is no conversation, one has no turn of the assistant, or such
            a turn, the one before it and those of the system are together longer than
            `max_length`.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["Hello! Hi."] * 5, 300)
        >>> turns = [{"role": "user", "content": "Hello!"},
        ...          {"role": "assistant", "content": "Hi."}]
        >>> dataset = keras_lm.text.chat_dataset(
        ...     [turns], tokenizer.with_roles(), max_length=32)
        >>> token_ids, next_token_ids, weights = next(iter(dataset))
        >>> token_ids.shape == next_token_ids.shape == weights.shape
        True
    """
    check_at_least(
        1, max_length=max_length, batch_size=batch_size, num_buckets=num_buckets
    )
    check_at_least(0, seed=seed)
    encoded = encode_conversations(tokenizer, conversations)
    if not encoded:
        raise ValueError("`conversations` must hold a conversation. Received: none")
    rows = [
        row
        for place, turns in enumerate(encoded)
        for row in chat_rows(turns, tokenizer.separator_id, max_length, place)
    ]
    lengths = np.array([[len(token_ids) - 1] for token_ids, _ in rows], "int64")
    most = batch_size * int(lengths.max())
    buckets = length_buckets(lengths, most, num_buckets, batch_size)
    padding = tokenizer.padding_id
    arrays = []
    for bucket in buckets:
        members = [rows[n] for n in (*bucket.rows, bucket.rows[0])]
        (width,) = bucket.widths
        token_ids, _ = pad_rows([ids[:-1] for ids, _ in members], padding, width)
        following, _ = pad_rows([ids[1:] for ids, _ in members], padding, width)
        weights, _ = pad_rows([some[1:] for _, some in members], 0, width)
        weights[-1] = 0  # the last one fills batches
        arrays.append((token_ids, following, weights.astype("float32")))
    return bucketed_batches(buckets, arrays, seed if shuffle else None, repeat)
