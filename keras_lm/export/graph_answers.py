"""Questions and contexts to answers, inside a TensorFlow graph.

TensorFlow is imported where it is used: `question_answerer_kind` is also read in the
process that trained.
"""

from keras_lm.export.graph_windows import GraphWindows, graph_window_arrays

_AT_ONCE = 32  # windows that a model reads, as `pipelines.predict_tokens` has it
_LOW = -1e9  # of a span that cannot be


def graph_odds(tokenizer, pipeline, windows: GraphWindows):
    """How much likelier than no answer each span is, with the most of its windows.

    The windows are read a few at a time, so that a long text takes little more memory
    than a short one.

    Shapes: `N` tokens of all contexts, `K` the pipeline's `max_answer_length`.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: `pipelines.QuestionAnswerer`.
        windows: of `graph_windows`.

    Returns:
        float32 `(N, K)`, the odds of `pipelines.span_log_shares`, in logits, where
        column `k` is of the span that ends `k` tokens after it begins; about -1e9
        where it is none.
    """
    import tensorflow as tf

    count, num_tokens = pipeline.max_answer_length, tf.size(windows.starts)
    num_windows = tf.size(windows.owners)
    # One more, for tokens that are of no context.
    odds = tf.fill(tf.stack([num_tokens + 1, count]), tf.constant(_LOW, tf.float32))

    def read_some(start, odds):
        rows = tf.range(start, tf.minimum(start + _AT_ONCE, num_windows))
        arrays, places = graph_window_arrays(tokenizer, pipeline, windows, rows)
        logits = pipeline.model(arrays, training=False)  # (R, T, 2)
        here = _odds(logits, arrays["context_mask"], count)  # (R, T, K)
        places = places[..., tf.newaxis]
        return start + _AT_ONCE, tf.tensor_scatter_nd_max(odds, places, here)

    _, odds = tf.while_loop(
        lambda start, _: start < num_windows,
        read_some,
        (tf.constant(0), odds),
        parallel_iterations=1,  # or memory would be that of ten
    )
    return odds[:num_tokens]


def graph_best(pipeline, windows: GraphWindows, context, odds):
    """The likeliest spans, as `QuestionAnswerer.n_best` finds them.

    Shapes: `B` questions, `N` tokens of all contexts, `K` `max_answer_length`.

    Args:
        pipeline: `pipelines.QuestionAnswerer`.
        windows: of `graph_windows`.
        context: string `(B,)`.
        odds: float `(N, K)`, of `graph_odds`.

    Returns:
        `(best, lead, none)`: dictionary of `answer`, string `(B,)`; `start` and `end`,
        int32 `(B,)`, the first character and the one behind the last; `score`, float32
        `(B,)`, how likely this is; float32 `(B,)`, how much likelier than no answer, in
        logits; and float32 `(B,)`, how likely that is, 0 where there must be one.
    """
    import tensorflow as tf

    by_token = _by_context(windows, tf.reduce_max(odds, axis=1))
    lead, place = tf.reduce_max(by_token, axis=1), tf.argmax(by_token, axis=1)
    totals = _by_context(windows, tf.reduce_logsumexp(odds, axis=1))
    total = tf.reduce_logsumexp(totals, axis=1)
    none = tf.zeros_like(total)
    if pipeline.no_answer:
        total = tf.math.softplus(total)  # log(1 + exp(total))
        none = tf.exp(-total)
    first = windows.read.row_starts() + place
    last = first + tf.argmax(tf.gather(odds, first), axis=1)
    start, end = tf.gather(windows.starts, first), tf.gather(windows.ends, last)
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


def _by_context(windows, numbers):
    """What each token has, `(N,)`, as a row for each context, padded with `_LOW`."""
    import tensorflow as tf

    rows = windows.read.with_values(numbers)
    # At least 1 wide, also for a batch of no context.
    width = tf.reduce_max(tf.concat([rows.row_lengths(), [1]], axis=0))
    return rows.to_tensor(_LOW, shape=tf.stack([-1, width]))


def _odds(logits, context_mask, count):
    """Float `(R, T, K)`: of each span how much likelier it is than none, in logits."""
    import tensorflow as tf

    shape = tf.shape(context_mask)
    places = tf.range(shape[1])[:, tf.newaxis] + tf.range(count)  # (T, K)
    behind = tf.pad(logits[..., 1], [[0, 0], [0, count - 1]])
    may_end = tf.pad(context_mask, [[0, 0], [0, count - 1]])
    last = tf.gather(behind, places, axis=1)  # (R, T, K)
    may_be = tf.gather(may_end, places, axis=1) & context_mask[..., tf.newaxis]
    none = tf.reduce_sum(logits[:, 0], axis=-1)[:, tf.newaxis, tf.newaxis]
    return tf.where(may_be, logits[..., :1] + last - none, _LOW)
