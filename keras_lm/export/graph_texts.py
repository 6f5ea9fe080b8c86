"""Texts and pairs as an encoder's arrays, inside a TensorFlow graph.

TensorFlow is imported where it is used: the kinds that use this are also read in the
process that trained.
"""

from keras_lm.export.export_error import ExportError
from keras_lm.text import HuggingFaceTokenizer, unicode


def graph_tokenizer(tokenizer):
    """The tokenizer of a pipeline as TensorFlow operations.

    Args:
        tokenizer: `text.SentencePieceTokenizer` or `text.HuggingFaceTokenizer`.

    Returns:
        `text.GraphTokenizer` or `text.GraphWordPiece`.

    Raises:
        ExportError: it cannot be in a graph.
    """
    from keras_lm.text import GraphTokenizer, GraphWordPiece

    if not isinstance(tokenizer, HuggingFaceTokenizer):
        return GraphTokenizer(tokenizer)
    try:
        return GraphWordPiece(tokenizer)
    except ValueError as error:
        raise ExportError(str(error)) from error


def differences(pipeline) -> tuple[str, ...]:
    """Which texts have other tokens in a graph than in the pipeline.

    Args:
        pipeline: with `tokenizer`, if it has one.

    Returns:
        tuple of str, a sentence for each difference, for `ExportReport.notes`.
    """
    tokenizer = getattr(pipeline, "tokenizer", None)
    if not isinstance(tokenizer, HuggingFaceTokenizer):
        return ()
    pieces = tokenizer.pieces()
    names = ", ".join(pieces[token_id] for token_id in tokenizer.special_ids)
    return (f"in a text, {names} are text to the SavedModel, tokens to the pipeline",)


def graph_arrays(tokenizer, pipeline, text, text_pair=None):
    """What `pipelines.text_arrays` gives, in a graph.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: has `tokenizer`, `max_length` and `truncate`.
        text: string `(B,)`.
        text_pair: string `(B,)`, the second texts, or `None`.

    Returns:
        dictionary of tensors `(B, T)`: `token_ids`, `padding_mask` and, of pairs,
        `segment_ids`.
    """
    encode = pieces_of(tokenizer, pipeline)
    sides = [encode(text)] if text_pair is None else _both(encode, text, text_pair)
    if pipeline.truncate:
        start, _ = around_texts(tokenizer, pipeline)
        room = pipeline.max_length - len(start) - len(sides)
        sides = _cut(sides, room)
    return arrays_of_sides(tokenizer, pipeline, sides)


def arrays_of_sides(tokenizer, pipeline, sides):
    """Tokens of texts, or of both texts of pairs, as an encoder's arrays.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: has `tokenizer` and `max_length`.
        sides: one or two `tf.RaggedTensor`s of int32, `(B, None)`, without special
            tokens.

    Returns:
        as `graph_arrays`.
    """
    import tensorflow as tf

    start, end = around_texts(tokenizer, pipeline)
    what = "text" if len(sides) == 1 else "pair"
    rows = refuse_long(laid_out(sides, start, end), pipeline.max_length, what)
    arrays = padded_rows(rows)
    if len(sides) > 1:
        first = tf.cast(sides[0].row_lengths(), tf.int32) + len(start) + 1
        real = arrays["padding_mask"]
        places = tf.range(tf.shape(real)[1])
        behind = tf.logical_and(real, places >= first[:, tf.newaxis])
        arrays["segment_ids"] = tf.cast(behind, tf.int32)
    return arrays


def pieces_of(tokenizer, pipeline):
    """What encodes texts without special tokens.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: has `tokenizer`.

    Returns:
        function of string `(B,)` to `tf.RaggedTensor` of int32, `(B, None)`.
    """
    pretrained = isinstance(pipeline.tokenizer, HuggingFaceTokenizer)
    return tokenizer.pieces if pretrained else tokenizer.encode


def around_texts(tokenizer, pipeline) -> tuple[list[int], int]:
    """The special tokens before the first text, and the one behind each.

    Args:
        tokenizer: of `graph_tokenizer`.
        pipeline: has `tokenizer`.

    Returns:
        `(start, end)`: list of int, and int.
    """
    if isinstance(pipeline.tokenizer, HuggingFaceTokenizer):
        return [tokenizer.first_id], tokenizer.last_id
    return [], pipeline.tokenizer.separator_id


def laid_out(sides, start, end):
    """Numbers of tokens, or of both texts of pairs, with those of special tokens.

    Args:
        sides: one or two `tf.RaggedTensor`s of int32, `(B, None)`.
        start: list of int, what stands before.
        end: int, what stands behind each text.

    Returns:
        `tf.RaggedTensor` of int32, `(B, None)`.
    """
    import tensorflow as tf

    def column(number):
        return tf.fill([sides[0].nrows(), 1], tf.constant(number, tf.int32))

    parts = [column(number) for number in start]
    for side in sides:
        parts += [side, column(end)]
    return tf.concat(parts, axis=1)


def refuse_long(rows, most, what="text"):
    """The rows, if none is too long.

    Args:
        rows: `tf.RaggedTensor` of int32, `(B, None)`, with special tokens.
        most: int, how long a row may be.
        what: str, what a row is.

    Returns:
        `rows`.
    """
    import tensorflow as tf

    lengths = rows.row_lengths()
    message = f"A {what} must have at most {most} tokens. Received: tokens"
    fits = tf.debugging.Assert(tf.reduce_all(lengths <= most), [message, lengths])
    with tf.control_dependencies([fits]):
        return tf.identity(rows)


def padded_rows(rows):
    """Rows of token ids as an encoder's arrays.

    Args:
        rows: `tf.RaggedTensor` of int32, `(B, None)`, with special tokens.

    Returns:
        dictionary of tensors `(B, T)`, `T` at least 1: `token_ids`, `padding_mask`.
    """
    import tensorflow as tf

    lengths = tf.cast(rows.row_lengths(), tf.int32)
    # At least 1, also for a batch of no text.
    width = tf.reduce_max(tf.concat([lengths, [1]], axis=0))
    return {
        "token_ids": rows.to_tensor(0, shape=tf.stack([-1, width])),
        "padding_mask": tf.sequence_mask(lengths, width),
    }


def describe_tokenizer(tokenizer) -> dict:
    """The rules of a tokenizer, for those who have no keras_lm.

    Args:
        tokenizer: as in `graph_tokenizer`.

    Returns:
        dict of plain Python.
    """
    if isinstance(tokenizer, HuggingFaceTokenizer):
        return {"kind": "tokenizers"}
    return {
        "kind": "sentencepiece",
        "separator_id": tokenizer.separator_id,  # behind each text
        "escapes": unicode.ESCAPES,  # done in this order before encoding
    }


def _both(encode, text, text_pair):
    import tensorflow as tf

    counts = tf.size(text), tf.size(text_pair)
    message = "There must be a `text_pair` for each `text`. Received: texts and pairs"
    same = tf.debugging.Assert(tf.equal(*counts), [message, *counts])
    with tf.control_dependencies([same]):
        return [encode(tf.identity(text)), encode(tf.identity(text_pair))]


def _cut(sides, room):
    """Sides that fit the room together, as `text.encode_texts` cuts them."""
    import tensorflow as tf

    if len(sides) == 1:
        return [sides[0][:, :room]]
    first, second = (tf.cast(side.row_lengths(), tf.int32) for side in sides)
    shorter = tf.minimum(tf.minimum(first, second), room // 2)
    longer = room - shorter
    fits = first + second <= room
    is_longer = first > second
    kept = [
        tf.where(fits, first, tf.where(is_longer, longer, shorter)),
        tf.where(fits, second, tf.where(is_longer, shorter, longer)),
    ]
    return [
        tf.RaggedTensor.from_tensor(side.to_tensor(), lengths=count)
        for side, count in zip(sides, kept, strict=True)
    ]
