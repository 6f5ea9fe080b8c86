"""Where tokens stand in strings, as TensorFlow ops: `token_offsets` inside a graph."""

# This file is imported by those that are in a graph themselves.
import tensorflow as tf  # noqa: TID253

from keras_lm.text.split_words import WHITE_SPACE


def characters_of(text):
    """Valid UTF-8 and its characters.

    Shapes: `B` texts.

    Args:
        text: string `(B,)`. Invalid UTF-8 becomes U+FFFD.

    Returns:
        `(text, characters)`: string `(B,)`, and a `tf.RaggedTensor` of string,
        `(B, None)`.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    return text, tf.strings.unicode_split(text, "UTF-8")


def is_blank(text):
    """Whether strings are white space only, or empty.

    Args:
        text: string, of any shape.

    Returns:
        bool, of this shape.
    """
    return tf.strings.regex_full_match(text, f"{WHITE_SPACE}*")


def offsets_in_characters(widths, before, behind):
    """From bytes of a text as a tokenizer sees it to characters of the text itself.

    A token that is some bytes of a character stands where the character does.

    Shapes: `B` texts.

    Args:
        widths: `tf.RaggedTensor` of int, `(B, None)`: how many bytes each character
            becomes, possibly none.
        before: `tf.RaggedTensor` of int, `(B, None)`: the first byte of each token.
        behind: the same: the byte behind its last.

    Returns:
        `(starts, ends)`: `tf.RaggedTensor`s of int32, `(B, None)`: the first character
        of each token, and the one behind its last.
    """
    widths = _padded(widths)
    ends = tf.cumsum(widths, axis=1)  # (B, C)
    first = tf.searchsorted(ends, _padded(before), side="right")
    last = tf.searchsorted(ends - widths, _padded(behind), side="left")
    lengths = before.row_lengths()
    return _ragged(first, lengths), _ragged(last, lengths)


def trim_offsets(characters, starts, ends):
    """Offsets without the white space at the ends of a token, as in Python.

    Shapes: `B` texts.

    Args:
        characters: of `characters_of`.
        starts: of `offsets_in_characters`.
        ends: the same.

    Returns:
        `(starts, ends)`; alike for a token of white space only.
    """
    is_solid = tf.ragged.map_flat_values(lambda one: ~is_blank(one), characters)
    solid = tf.cumsum(_padded(tf.cast(is_solid, tf.int32)), axis=1)  # (B, C)
    known = tf.pad(solid, [[0, 0], [1, 0]])  # how many are before each character
    lengths = starts.row_lengths()
    starts, ends = _padded(starts), _padded(ends)
    before = tf.gather(known, starts, batch_dims=1)
    behind = tf.gather(known, ends, batch_dims=1)
    first = tf.searchsorted(solid, before + 1, side="left")
    last = tf.searchsorted(solid, behind, side="left") + 1
    blank = behind <= before
    first, last = tf.where(blank, starts, first), tf.where(blank, starts, last)
    return _ragged(first, lengths), _ragged(last, lengths)


def _padded(rows):
    """Int32, with zeros behind, at least one: there is a search where nothing is."""
    return tf.pad(tf.cast(rows, tf.int32).to_tensor(), [[0, 0], [0, 1]])


def _ragged(array, lengths):
    return tf.RaggedTensor.from_tensor(array, lengths=lengths)
