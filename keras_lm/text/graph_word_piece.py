"""BERT's tokenizer as TensorFlow ops, for a SavedModel that takes strings."""

import json

# This file is imported when `keras_lm.text.GraphWordPiece` is first used.
import tensorflow as tf  # noqa: TID253
import tensorflow_text  # noqa: TID253

from keras_lm.text.graph_offsets import (
    characters_of,
    offsets_in_characters,
    trim_offsets,
)

# What BERT throws away, and the white space that it sees as spaces.
_CONTROL = r"[\x{0}\x{fffd}\p{Cc}\p{Cf}\p{Co}]"
_SPACE = r"[\t\n\r\p{Z}]"
# What is a word of its own: signs, and Chinese characters.
_ALONE = (
    r"[[:punct:]\p{P}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}"
    r"\x{20000}-\x{2A6DF}\x{2A700}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{2F800}-\x{2FA1F}]"
)


class GraphWordPiece(tf.Module):
    """A WordPiece `HuggingFaceTokenizer` inside a TensorFlow graph.

    The ops are those that the stock TensorFlow Serving binary links. The answers are
    those of the `tokenizers` package but for names of special tokens in a text, as
    "[SEP]", which are text here.

    `first_id` and `last_id`, of `[CLS]` and `[SEP]`, are attributes.

    Args:
        tokenizer: `HuggingFaceTokenizer` of a BERT.

    Raises:
        ValueError: it is of another kind.

    Source: https://arxiv.org/abs/1810.04805; https://arxiv.org/abs/1609.08144,
        section 4.1 (WordPiece).
    """

    def __init__(self, tokenizer):
        super().__init__(name="graph_word_piece")
        about = json.loads(tokenizer.definition)
        model, normalizer = about["model"], about.get("normalizer") or {}
        kinds = model.get("type"), normalizer.get("type")
        if kinds != ("WordPiece", "BertNormalizer"):
            raise ValueError(
                "A tokenizer inside a SavedModel must be SentencePiece or BERT's "
                f"WordPiece. Received: a model and a normalizer of {kinds}"
            )
        vocabulary = model["vocab"]
        self._lower_case = normalizer["lowercase"]
        strips = normalizer["strip_accents"]
        self._strip_accents = self._lower_case if strips is None else strips
        self.first_id, self.last_id = vocabulary["[CLS]"], vocabulary["[SEP]"]
        self._table = tf.lookup.StaticVocabularyTable(
            tf.lookup.KeyValueTensorInitializer(
                list(vocabulary), list(vocabulary.values()), tf.string, tf.int64
            ),
            num_oov_buckets=1,
        )
        self._unknown_id = vocabulary[model["unk_token"]]
        # Longer words are unknown. The op counts bytes, at most 4 for a character.
        self._most = model["max_input_chars_per_word"]
        self._pieces = tensorflow_text.WordpieceTokenizer(
            self._table,
            suffix_indicator=model["continuing_subword_prefix"],
            max_bytes_per_word=4 * self._most,
            token_out_type=tf.int32,
            unknown_token=model["unk_token"],
        )

    def encode(self, text):
        """Strings to token ids, with `[CLS]` before and `[SEP]` behind.

        Args:
            text: string `(B,)`. Invalid UTF-8 becomes U+FFFD.

        Returns:
            `tf.RaggedTensor` of int32, `(B, None)`.
        """
        token_ids = self.pieces(text)
        count = token_ids.nrows()
        first = tf.fill([count, 1], tf.constant(self.first_id, tf.int32))
        last = tf.fill([count, 1], tf.constant(self.last_id, tf.int32))
        return tf.concat([first, token_ids, last], axis=1)

    def pieces(self, text):
        """Strings to token ids, without special tokens.

        Args:
            text: string `(B,)`. Invalid UTF-8 becomes U+FFFD.

        Returns:
            `tf.RaggedTensor` of int32, `(B, None)`.
        """
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        words, _, _ = _split(self._normalized(text))
        return self._pieces.tokenize(self._known_length(words)).merge_dims(1, -1)

    def encode_with_offsets(self, text):
        """Strings to token ids, without special tokens, and where each token stands.

        Args:
            text: string `(B,)`. Invalid UTF-8 becomes U+FFFD, a character.

        Returns:
            `(token_ids, starts, ends)`: `tf.RaggedTensor`s of int32, `(B, None)`: the
            first character of each token, and the one behind its last.
        """
        _, characters = characters_of(text)
        # One by one, so that it is known which became what.
        parts = tf.ragged.map_flat_values(self._normalized, characters)
        widths = tf.ragged.map_flat_values(tf.strings.length, parts)
        whole = tf.strings.reduce_join(parts, axis=-1)
        words, first, last = _split(whole)
        words = self._known_length(words)
        token_ids, before, behind = self._pieces.tokenize_with_offsets(words)
        # One that is unknown stands for its whole word.
        is_unknown = tf.ragged.map_flat_values(tf.equal, token_ids, self._unknown_id)
        first, last = first[..., tf.newaxis], last[..., tf.newaxis]
        behind = tf.where(is_unknown, last + 0 * behind, first + behind)
        token_ids, before, behind = (
            one.merge_dims(1, -1) for one in (token_ids, first + before, behind)
        )
        starts, ends = offsets_in_characters(widths, before, behind)
        return token_ids, *trim_offsets(parts, starts, ends)

    def _known_length(self, words):
        """Words; one of too many characters becomes one of too many bytes."""
        long = tf.constant("x" * (4 * self._most + 1))

        def shortest(words):
            sizes = tf.strings.length(words, unit="UTF8_CHAR")
            return tf.where(sizes > self._most, long, words)

        return tf.ragged.map_flat_values(shortest, words)

    def _normalized(self, text):
        """Strings, or single characters, as the model's words are spelled."""
        text = tf.strings.regex_replace(text, _SPACE, " ")
        text = tf.strings.regex_replace(text, _CONTROL, "")
        if self._strip_accents:
            text = tensorflow_text.normalize_utf8(text, "NFD")
            text = tf.strings.regex_replace(text, r"\p{Mn}", "")
        if self._lower_case:
            # ICU knows a sigma that ends a word, the tokenizers package does not.
            text = tf.strings.regex_replace(text, "\u03a3", "\u03c3")
            text = tf.strings.lower(text, encoding="utf-8")
        return text


def _split(text):
    """Words of normalised strings, and where they are, in bytes."""
    return tensorflow_text.regex_split_with_offsets(text, f" +|{_ALONE}", _ALONE)
