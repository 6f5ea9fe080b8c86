"""Questions and long contexts as windows, inside a TensorFlow graph.

TensorFlow is imported where it is used: `question_answerer_kind` is also read in the
process that trained.
"""

from typing import Any, NamedTuple

from keras_lm.export.graph_texts import around_texts, arrays_of_sides, laid_out


class GraphWindows(NamedTuple):
    """Questions, their contexts, and where each window begins and ends.

    Shapes: `B` questions, `N` tokens of all contexts, one context after the other, `W`
    windows of all.

    Args:
        asked: `tf.RaggedTensor` of int32 `(B, None)`, the tokens of the questions.
        read: the same of their contexts, `N` in all.
        starts: int32 `(N,)`, the first character of each token in its context.
        ends: int32 `(N,)`, the one behind its last; alike for white space only.
        owners: int `(W,)`, whose context each window is of, in order.
        first: int32 `(W,)`, which of the `N` tokens is the first in each.
        behind: int32 `(W,)`, the one behind its last.
    """

    asked: Any
    read: Any
    starts: Any
    ends: Any
    owners: Any
    first: Any
    behind: Any


def graph_windows(tokenizer, pipeline, question, context) -> GraphWindows:
    """What `text.context_windows` gives: windows that overlap, by the same rules.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: has `tokenizer`, `max_length` and `stride`.
        question: string `(B,)`.
        context: string `(B,)`.

    Returns:
        `GraphWindows`.
    """
    import tensorflow as tf

    question, context = _checked(question, context)
    sides = [tokenizer.encode_with_offsets(text) for text in (question, context)]
    texts = {"question": question, "context": context}
    faults = [
        _refuse_empty(name, texts[name], side)
        for name, side in zip(texts, sides, strict=True)
    ]
    (asked, _, _), (read, starts, ends) = sides
    with tf.control_dependencies(faults):
        asked, read = tf.identity(asked), tf.identity(read)
    places = _places(tokenizer, pipeline, asked, read)
    return GraphWindows(asked, read, starts.values, ends.values, *places)


def graph_window_arrays(tokenizer, pipeline, windows: GraphWindows, rows):
    """Some windows as what a model reads at once, as `window_arrays` gives it.

    Shapes: `R` windows, `T` tokens of the longest row, `N` tokens of all contexts.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: has `tokenizer` and `max_length`.
        windows: of `graph_windows`.
        rows: int `(R,)`, which windows.

    Returns:
        `(arrays, places)`: the dictionary that the pipeline's model takes, and int32
        `(R, T)`, which of the `N` each token is; `N` for one of no context.
    """
    import tensorflow as tf

    owners, first, behind = (
        tf.gather(one, rows) for one in (windows.owners, windows.first, windows.behind)
    )
    asked, tokens = tf.gather(windows.asked, owners), tf.ragged.range(first, behind)
    sides = [asked, tf.gather(windows.read.values, tokens)]
    arrays = arrays_of_sides(tokenizer, pipeline, sides)

    # The special tokens around the texts, and the question's, are of no context.
    num_before, none = len(around_texts(tokenizer, pipeline)[0]), -1
    places = laid_out([none * tf.ones_like(asked), tokens], [none] * num_before, none)
    width = tf.shape(arrays["token_ids"])[1]
    places = places.to_tensor(none, shape=tf.stack([-1, width]))
    places = tf.where(places == none, tf.size(windows.starts), places)
    # One more, which is no token.
    is_solid = tf.pad(windows.ends > windows.starts, [[0, 1]])
    return {**arrays, "context_mask": tf.gather(is_solid, places)}, places


def _places(tokenizer, pipeline, asked, read):
    """`owners`, `first` and `behind` of `GraphWindows`."""
    import tensorflow as tf

    asked, counts = (tf.cast(one.row_lengths(), tf.int32) for one in (asked, read))
    around = asked + len(around_texts(tokenizer, pipeline)[0]) + 2  # what ends both
    room = tf.minimum(counts, _room(pipeline.max_length, around))
    step = tf.maximum(room // 2, 1)
    if pipeline.stride is not None:
        step = tf.minimum(pipeline.stride, room)
    more = -((room - counts) // step)  # windows behind the first, rounded up
    numbers = tf.ragged.range(more + 1)  # (B, None)

    owners = numbers.value_rowids()
    limits = read.row_starts(), read.row_limits()
    start, limit = (tf.cast(one, tf.int32) for one in limits)
    first = tf.gather(start, owners) + tf.gather(step, owners) * numbers.values
    behind = tf.minimum(first + tf.gather(room, owners), tf.gather(limit, owners))
    return owners, first, behind


def _room(most, around):
    """How many tokens of the context each question leaves room for, at least 1."""
    import tensorflow as tf

    message = (
        "A question must leave room for its context: with the special tokens it may "
        f"have {most - 1} of the {most} tokens of `max_length`. Received: tokens"
    )
    fits = tf.debugging.Assert(tf.reduce_all(around < most), [message, around])
    with tf.control_dependencies([fits]):
        return most - tf.identity(around)


def _checked(question, context):
    """Both, if there are as many."""
    import tensorflow as tf

    counts = tf.size(question), tf.size(context)
    message = "There must be a `context` for each `question`. Received: both"
    same = tf.debugging.Assert(tf.equal(*counts), [message, *counts])
    with tf.control_dependencies([same]):
        return tf.identity(question), tf.identity(context)


def _refuse_empty(name, texts, side):
    """An assertion that each has a token that is more than white space."""
    import tensorflow as tf

    _, starts, ends = side
    has_some = tf.reduce_any(ends > starts, axis=1)
    message = f"A {name} must hold some text. Received: texts"
    fault = tf.boolean_mask(texts, ~has_some)
    return tf.debugging.Assert(tf.reduce_all(has_some), [message, fault])
