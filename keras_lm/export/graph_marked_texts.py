"""Marked words, and whole texts, as an encoder's arrays inside a TensorFlow graph."""

from keras_lm.export.graph_texts import (
    around_texts,
    laid_out,
    padded_rows,
    pieces_of,
    refuse_long,
)
from keras_lm.text.marked_texts import MARKS


def graph_marked_arrays(tokenizer, pipeline, text):
    """What `pipelines.marked_arrays` gives, in a graph.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: has `tokenizer`, `max_length` and `truncate`.
        text: string `(B,)`.

    Returns:
        dictionary of tensors `(B, T)`: `token_ids`, `padding_mask`, `pooling_mask`.
    """
    import tensorflow as tf

    encode = pieces_of(tokenizer, pipeline)
    start, end = around_texts(tokenizer, pipeline)
    is_marked, *parts = _split(text)
    parts = _spaced(*parts)
    before, word, behind = (encode(tf.identity(part)) for part in parts)
    room = pipeline.max_length - len(start) - 1
    if pipeline.truncate:
        before, word, behind = _cut(is_marked, before, word, behind, room)

    rows = laid_out([tf.concat([before, word, behind], axis=1)], start, end)
    rows = refuse_long(_with_words(rows, word, is_marked), pipeline.max_length)
    arrays = padded_rows(rows)
    real = arrays["padding_mask"]
    first = tf.cast(before.row_lengths(), tf.int32) + len(start)
    last = first + tf.cast(word.row_lengths(), tf.int32)
    places = tf.range(tf.shape(real)[1])[None]
    inside = tf.logical_and(places >= first[:, None], places < last[:, None])
    return {**arrays, "pooling_mask": tf.where(is_marked[:, None], inside, real)}


def _split(text):
    """`(is_marked, before, word, behind)`; of a text without marks all is the word."""
    import tensorflow as tf

    from keras_lm.text.graph_offsets import is_blank

    before, rest, opened = _partition(text, MARKS[0])
    word, behind, closed = _partition(rest, MARKS[1])
    is_marked = opened & closed & ~is_blank(word)
    nothing = tf.zeros_like(text)
    return (
        is_marked,
        tf.where(is_marked, before, nothing),
        tf.where(is_marked, word, text),
        tf.where(is_marked, behind, nothing),
    )


def _spaced(before, word, behind):
    """The space before the word in front of it, as in `text.marked_texts`."""
    import tensorflow as tf

    rest = tf.strings.regex_replace(before, " $", "")
    space = tf.where(tf.equal(rest, before), "", " ")
    return rest, tf.strings.join([space, word]), behind


def _partition(text, mark):
    """What is before the first mark and behind it, and whether there is one."""
    import tensorflow as tf

    parts = tf.strings.split(text, mark, maxsplit=1)
    two = parts.to_tensor(default_value="", shape=[None, 2])
    return two[:, 0], two[:, 1], tf.equal(parts.row_lengths(), 2)


def _cut(is_marked, before, word, behind, room):
    """The parts as `text.marked_texts` and `text.encode_texts` cut them."""
    import tensorflow as tf

    counts = [tf.cast(part.row_lengths(), tf.int32) for part in (before, word, behind)]
    kept_word = tf.where(is_marked, counts[1], tf.minimum(counts[1], room))
    room = tf.maximum(room - kept_word, 0)
    first = tf.minimum(counts[0], tf.maximum(room // 2, room - counts[2]))
    last = tf.minimum(counts[2], room - first)
    return (
        _without_first(before, counts[0] - first),
        tf.RaggedTensor.from_tensor(word.to_tensor(), lengths=kept_word),
        tf.RaggedTensor.from_tensor(behind.to_tensor(), lengths=last),
    )


def _without_first(rows, count):
    """Ragged rows without their first tokens, so many of each."""
    import tensorflow as tf

    places = tf.ragged.range(tf.cast(rows.row_lengths(), tf.int32))
    keep = places >= tf.expand_dims(count, 1)
    return tf.ragged.boolean_mask(rows, keep)


def _with_words(rows, word, is_marked):
    """The rows, if each marked word has a token."""
    import tensorflow as tf

    counts = word.row_lengths()
    message = "A marked word must have a token. Received: tokens"
    has = tf.logical_or(tf.logical_not(is_marked), counts > 0)
    there = tf.debugging.Assert(tf.reduce_all(has), [message, counts])
    with tf.control_dependencies([there]):
        return tf.identity(rows)
