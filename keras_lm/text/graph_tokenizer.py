"""The tokenizer as TensorFlow ops, for a SavedModel that takes and gives strings."""

import hashlib

# This file is imported when `keras_lm.text.GraphTokenizer` is first used.
import tensorflow as tf  # noqa: TID253
import tensorflow_text  # noqa: TID253

from keras_lm.text.graph_offsets import (
    characters_of,
    offsets_in_characters,
    trim_offsets,
)
from keras_lm.text.unicode import (
    ESCAPE,
    ESCAPED_ESCAPE,
    ESCAPED_SPACE_SIGN,
    SPACE_SIGN,
)


class GraphTokenizer(tf.Module):
    """`SentencePieceTokenizer` inside a TensorFlow graph, with the same answers.

    Encoding is tensorflow-text's SentencePiece op, which the stock TensorFlow Serving
    binary links; decoding is a lookup in core TensorFlow. As an attribute of a
    `tf.Module` or Keras model it is saved with it.

    Make it after seeding: `tf.random.set_seed`, and so `keras.utils.set_random_seed`,
    clears TensorFlow's kernels, and SentencePiece's model is lost with its kernel.

    Args:
        tokenizer: a `SentencePieceTokenizer`.

    Example:
        >>> from keras_lm import text
        >>> tokenizer = text.train_tokenizer(["one two three"] * 5, 300)
        >>> graph_tokenizer = text.GraphTokenizer(tokenizer)
        >>> token_ids = graph_tokenizer.encode(["one", ""])
        >>> token_ids.shape.rank, graph_tokenizer.decode(token_ids).shape
        (2, TensorShape([2]))
    """

    def __init__(self, tokenizer):
        super().__init__(name="graph_tokenizer")
        # TensorFlow keeps the model under the name of its operation: where a SavedModel
        # has two of one name, both tokenizers are the same when it is loaded
        # (https://github.com/tensorflow/text/issues/1304).
        digest = hashlib.sha256(tokenizer.model_proto).hexdigest()
        self._sentence_piece = tensorflow_text.SentencepieceTokenizer(
            model=tokenizer.model_proto, name=f"sentencepiece_{digest[:16]}"
        )
        self._vocabulary_bytes = list(tokenizer.vocabulary_bytes)
        self._sizes = [len(piece) for piece in self._vocabulary_bytes]

    def encode(self, text):
        """Strings to token ids, without special tokens.

        Args:
            text: string `(B,)`. Invalid UTF-8 becomes U+FFFD.

        Returns:
            `tf.RaggedTensor` of int32, `(B, None)`; an empty row for `""`.
        """
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        text = tf.strings.regex_replace(text, ESCAPE, ESCAPED_ESCAPE)
        text = tf.strings.regex_replace(text, SPACE_SIGN, ESCAPED_SPACE_SIGN)
        return self._sentence_piece.tokenize(text)

    def encode_with_offsets(self, text):
        """Strings to token ids, without special tokens, and where each token stands.

        Args:
            text: string `(B,)`. Invalid UTF-8 becomes U+FFFD, a character.

        Returns:
            `(token_ids, starts, ends)`: `tf.RaggedTensor`s of int32, `(B, None)`;
            characters, as `SentencePieceTokenizer.encode_with_offsets` counts them.
        """
        text, characters = characters_of(text)
        token_ids = self.encode(text)
        sizes = tf.gather(tf.constant(self._sizes, tf.int32), token_ids)
        behind = _sums(sizes)
        widths = tf.ragged.map_flat_values(_escaped_size, characters)
        starts, ends = offsets_in_characters(widths, behind - sizes, behind)
        return token_ids, *trim_offsets(characters, starts, ends)

    def decode(self, token_ids):
        """Token ids to strings.

        Args:
            token_ids: `tf.RaggedTensor` or tensor of int, `(B, None)`. At least 0
                and below the vocabulary's size.

        Returns:
            string `(B,)`, valid UTF-8. Special tokens give nothing, bytes that are
            no character U+FFFD.
        """
        pieces = tf.gather(tf.constant(self._vocabulary_bytes), token_ids)
        text = tf.strings.reduce_join(pieces, axis=-1)  # (B,)
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        text = tf.strings.regex_replace(text, ESCAPED_SPACE_SIGN, SPACE_SIGN)
        return tf.strings.regex_replace(text, ESCAPED_ESCAPE, ESCAPE)


def _sums(sizes):
    """Of each row, up to each place and with it."""
    sums = tf.cumsum(sizes.to_tensor(), axis=1)
    return tf.RaggedTensor.from_tensor(sums, lengths=sizes.row_lengths())


def _escaped_size(character):
    """Bytes of characters as SentencePiece sees them."""
    is_escaped = (character == ESCAPE) | (character == SPACE_SIGN)
    return tf.where(is_escaped, 2, tf.strings.length(character))
