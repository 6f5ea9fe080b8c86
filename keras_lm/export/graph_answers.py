"""Questions and contexts to answers, inside a TensorFlow graph.

TensorFlow is imported where it is used: `question_answerer_kind` is also read in the
process that trained.
"""

from keras_lm.export.graph_texts import around_texts, arrays_of_sides, laid_out

_LOW = -1e9  # of a span that cannot be


def graph_windows(tokenizer, pipeline, question, context):
    """A question and the whole of its context as what a model reads at once.

    Shapes: `B` questions, `T` tokens of the longest row.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: `pipelines.QuestionAnswerer`.
        question: string `(B,)`.
        context: string `(B,)`.

    Returns:
        `(arrays, starts, ends)`: the dictionary that the pipeline's model takes, and
        int32 `(B, T)`, the first character of each token in its context and the one
        behind its last; 0 for all other tokens.
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
        asked = tf.identity(asked)
    arrays = arrays_of_sides(tokenizer, pipeline, [asked, read])
    width = tf.shape(arrays["token_ids"])[1]
    around = [0] * len(around_texts(tokenizer, pipeline)[0]), 0
    starts, ends = (
        laid_out([tf.zeros_like(asked), places], *around).to_tensor(
            0, shape=tf.stack([-1, width])
        )
        for places in (starts, ends)
    )
    return {**arrays, "context_mask": ends > starts}, starts, ends


def graph_best(pipeline, logits, context, context_mask, starts, ends):
    """The likeliest spans, as `QuestionAnswerer.n_best` finds them in one window.

    Shapes: `B` questions, `T` tokens of the longest row.

    Args:
        pipeline: `pipelines.QuestionAnswerer`.
        logits: float `(B, T, 2)`.
        context: string `(B,)`.
        context_mask: bool `(B, T)`.
        starts: of `graph_windows`.
        ends: the same.

    Returns:
        `(best, lead, none)`: dictionary of `answer`, string `(B,)`; `start` and `end`,
        int32 `(B,)`, the first character and the one behind the last; `score`, float32
        `(B,)`, how likely this is; float32 `(B,)`, how much likelier than no answer, in
        logits; and float32 `(B,)`, how likely that is, 0 where there must be one.
    """
    import tensorflow as tf

    count = pipeline.max_answer_length
    odds, width = _odds(logits, context_mask, count), tf.shape(logits)[1]
    odds = tf.reshape(odds, tf.stack([-1, width * count]))
    lead, place = tf.reduce_max(odds, axis=1), tf.argmax(odds, 1, tf.int32)
    total = tf.reduce_logsumexp(odds, axis=1)
    none = tf.zeros_like(total)
    if pipeline.no_answer:
        total = tf.math.softplus(total)  # log(1 + exp(total))
        none = tf.exp(-total)
    first, more = place // count, place % count
    start = tf.gather(starts, first, batch_dims=1)
    end = tf.gather(ends, first + more, batch_dims=1)
    context = tf.strings.unicode_transcode(context, "UTF-8", "UTF-8", errors="replace")
    best = {
        "answer": tf.strings.substr(context, start, end - start, unit="UTF8_CHAR"),
        "start": start,
        "end": end,
        "score": tf.exp(lead - total),
    }
    return best, lead, none


def graph_answers(pipeline, best, lead, none):
    """The answers that `QuestionAnswerer` gives, which may be none.

    Args:
        pipeline: `pipelines.QuestionAnswerer`.
        best: of `graph_best`.
        lead: the same.
        none: the same.

    Returns:
        dictionary like `best`; where there is no answer "", -1, -1 and how likely that
        is.
    """
    import tensorflow as tf

    if not pipeline.no_answer:
        return best
    is_some = lead > pipeline.threshold
    nothing = {"answer": "", "start": -1, "end": -1, "score": none}
    return {name: tf.where(is_some, one, nothing[name]) for name, one in best.items()}


def _odds(logits, context_mask, count):
    """Float `(B, T, K)`: of each span how much likelier it is than none, in logits."""
    import tensorflow as tf

    shape = tf.shape(context_mask)
    places = tf.range(shape[1])[:, tf.newaxis] + tf.range(count)  # (T, K)
    behind = tf.pad(logits[..., 1], [[0, 0], [0, count - 1]])
    may_end = tf.pad(context_mask, [[0, 0], [0, count - 1]])
    last = tf.gather(behind, places, axis=1)  # (B, T, K)
    may_be = tf.gather(may_end, places, axis=1) & context_mask[..., tf.newaxis]
    none = tf.reduce_sum(logits[:, 0], axis=-1)[:, tf.newaxis, tf.newaxis]
    return tf.where(may_be, logits[..., :1] + last - none, _LOW)


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
