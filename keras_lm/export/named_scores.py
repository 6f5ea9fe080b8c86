"""What a served classifier answers: the scores of all labels, with their names.

TensorFlow is imported where it is used: the kinds that use this are also read in the
process that trained.
"""


def named_scores(labels, logits, multi_label: bool = False) -> dict:
    """Labels and how likely each is, inside a TensorFlow graph.

    The names of the columns are given with each row, as TensorFlow Serving's own
    classification has it, so that a client needs no list beside. Where a text has any
    number of labels there is no `label`: the likeliest may be unlikely, and others
    likely too. Which are likely enough is for the caller to say.

    Shapes: `B` texts, `C` classes.

    Args:
        labels: list of `C` str.
        logits: float `(B, C)`.
        multi_label: bool. As in `probabilities`.

    Returns:
        dictionary of tensors: `labels`, string `(B, C)`, the same in each row;
        `scores`, float32 `(B, C)`, 0 to 1; and unless `multi_label`, `label`, string
        `(B,)`, the likeliest.
    """
    import tensorflow as tf

    names = tf.constant(labels)
    columns = tf.tile(names[tf.newaxis], tf.stack([tf.shape(logits)[0], 1]))
    answer = {"labels": columns, "scores": probabilities(logits, multi_label)}
    if not multi_label:
        answer["label"] = tf.gather(names, tf.argmax(logits, axis=-1))
    return answer


def probabilities(logits, multi_label: bool = False):
    """How likely each label is, inside a TensorFlow graph.

    Shapes: `B` texts, `C` classes.

    Args:
        logits: float `(B, C)`.
        multi_label: bool. Whether each label has a probability of its own (sigmoid);
            else they share one (softmax).

    Returns:
        float `(B, C)`.
    """
    import tensorflow as tf

    return tf.sigmoid(logits) if multi_label else tf.nn.softmax(logits)
