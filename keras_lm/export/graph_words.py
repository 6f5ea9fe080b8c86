"""Words of texts as an encoder's arrays, and their labels, inside a TensorFlow graph.

TensorFlow is imported where it is used: `token_tagger_kind` is also read in the process
that trained.
"""

import numpy as np

from keras_lm.export.graph_texts import padded_rows, pieces_of, refuse_long
from keras_lm.text.encode_words import frame_of
from keras_lm.text.split_words import JOINERS, WHITE_SPACE

_NEVER = -1e9  # of a path that the rules forbid


def graph_words(text, split: str):
    """What `text.split_words` gives, without the places.

    Args:
        text: string `(B,)`. Invalid UTF-8 becomes U+FFFD.
        split: "words" or "characters".

    Returns:
        `tf.RaggedTensor` of strings, `(B, None)`.
    """
    import tensorflow as tf

    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    if split == "words":
        return tf.strings.split(tf.strings.regex_replace(text, WHITE_SPACE, " "))
    text = tf.strings.regex_replace(text, WHITE_SPACE, "")
    return tf.strings.unicode_split(text, "UTF-8")


def graph_word_arrays(tokenizer, pipeline, words, predicate=None):
    """What `pipelines.word_arrays` gives, in a graph.

    Shapes: `B` texts, `W` words and `T` tokens of the longest, both at least 1.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: has `tokenizer`, `split`, `max_length` and `truncate`.
        words: of `graph_words`.
        predicate: int32 `(B,)`, or `None`.

    Returns:
        `(arrays, first, counts)`: dictionary of tensors `(B, T)`: `token_ids`,
        `padding_mask` and, with predicates, `marks`; int32 `(B, W)`, the first token of
        each word, some token behind the end; and int32 `(B,)`, how many words were not
        cut off.
    """
    import tensorflow as tf

    before, behind = frame_of(pipeline.tokenizer)
    room = pipeline.max_length - len(before) - len(behind)
    pieces = _pieces(tokenizer, pipeline, words)  # (words of all, None)
    lengths = tf.cast(pieces.row_lengths(), tf.int32)
    lengths = _dense(words.with_values(lengths), 0)  # (B, W)
    first = tf.cumsum(lengths, axis=1, exclusive=True)  # (B, W), special ones apart
    rows = words.with_values(pieces).merge_dims(1, 2)  # (B, None)
    if pipeline.truncate:
        rows = rows[:, :room]
    num_tokens = tf.cast(rows.row_lengths(), tf.int32)
    counts = tf.reduce_sum(tf.cast((lengths > 0) & (first < room), tf.int32), axis=1)

    def column(token):
        return tf.fill([rows.nrows(), 1], tf.constant(token, tf.int32))

    parts = [*map(column, before), rows, *map(column, behind)]
    arrays = padded_rows(refuse_long(tf.concat(parts, axis=1), pipeline.max_length))
    width = tf.shape(arrays["token_ids"])[1]
    if predicate is not None:
        predicate = _checked_predicate(predicate, words, counts)
        start, length = (
            tf.gather(array, predicate, batch_dims=1) for array in (first, lengths)
        )
        end = tf.minimum(start + length, num_tokens)[:, tf.newaxis]
        place = tf.range(width)[tf.newaxis] - len(before)
        marked = (place >= start[:, tf.newaxis]) & (place < end)
        arrays["marks"] = tf.cast(marked, tf.int32)
    return arrays, tf.minimum(first + len(before), width - 1), counts


def graph_best_labels(log_probabilities, lengths, may_begin, may_follow):
    """What `pipelines.bio_rules.best_labels` gives, in a graph.

    Shapes: `B` texts, `W` words of the longest, `L` labels.

    Args:
        log_probabilities: float32 `(B, W, L)`.
        lengths: int32 `(B,)`.
        may_begin: bool NumPy array `(L,)`.
        may_follow: bool NumPy array `(L, L)`.

    Returns:
        int32 `(B, W)`; some label behind the end of a text.
    """
    import tensorflow as tf

    barred = np.where(may_follow, 0.0, _NEVER).astype("float32")  # (L, L)
    begin = np.where(may_begin, 0.0, _NEVER).astype("float32")
    stay = tf.range(len(begin), dtype=tf.int32)[tf.newaxis]  # (1, L)
    # One word more, so that there is always one to go to.
    shares = tf.pad(log_probabilities, [[0, 0], [0, 1], [0, 0]])
    shares = tf.transpose(shares, [1, 0, 2])  # (W + 1, B, L)
    word = tf.range(1, tf.shape(shares)[0])

    def forward(last, now):
        score, _ = last
        share, place = now
        paths = score[:, :, tf.newaxis] + barred  # (B, from, to)
        there = (place < lengths)[:, tf.newaxis]
        came_from = tf.argmax(paths, axis=1, output_type=tf.int32)
        longer = tf.reduce_max(paths, axis=1) + share
        return tf.where(there, longer, score), tf.where(there, came_from, stay)

    start = shares[0] + begin
    origins = tf.zeros_like(start, tf.int32)
    scores, came_from = tf.scan(forward, (shares[1:], word), (start, origins))
    label = tf.argmax(scores[-1], axis=-1, output_type=tf.int32)  # (B,)

    def backward(label, came_from):
        return tf.gather(came_from, label, batch_dims=1)

    labels = tf.scan(backward, came_from, label, reverse=True)  # (W, B)
    return tf.transpose(labels)


def _pieces(tokenizer, pipeline, words):
    """Token ids of each word, at least one: ragged `(words of all texts, None)`."""
    import tensorflow as tf

    place = tf.ragged.range(words.row_lengths()).flat_values
    joined = tf.strings.join([JOINERS[pipeline.split], words.flat_values])
    spaced = tf.where(place > 0, joined, words.flat_values)
    pieces = pieces_of(tokenizer, pipeline)(spaced)
    is_empty = tf.cast(tf.equal(pieces.row_lengths(), 0), tf.int64)
    unknown = tf.constant(pipeline.tokenizer.unknown_id or 0, tf.int32)
    stand_ins = tf.fill([tf.reduce_sum(is_empty)], unknown)
    stand_ins = tf.RaggedTensor.from_row_lengths(stand_ins, is_empty)
    return tf.concat([pieces, stand_ins], axis=1)


def _dense(ragged, padding):
    """Ragged `(B, None)` as `(B, W)`."""
    import tensorflow as tf

    width = tf.reduce_max(tf.concat([ragged.row_lengths(), [1]], axis=0))
    return ragged.to_tensor(padding, shape=tf.stack([-1, width]))


def _checked_predicate(predicate, words, counts):
    """The places, if each is one of a word that was not cut off."""
    import tensorflow as tf

    sizes = tf.size(predicate), tf.cast(words.nrows(), tf.int32)
    message = "There must be a `predicate` for each `text`. Received: predicates, texts"
    same = tf.debugging.Assert(tf.equal(*sizes), [message, *sizes])
    with tf.control_dependencies([same]):
        predicate = tf.identity(predicate)
    inside = tf.reduce_all((predicate >= 0) & (predicate < counts))
    message = (
        "A `predicate` must be at least 0 and below the number of words, those that "
        "are cut off not counted. Received: predicates, words"
    )
    fits = tf.debugging.Assert(inside, [message, predicate, counts])
    with tf.control_dependencies([fits]):
        return tf.identity(predicate)
