"""SentencePiece with byte fallback and no normalisation (Kudo & Richardson, 2018)."""

import pathlib

import numpy as np

from keras_lm.text.control_tokens import (
    MASK,
    ROLE,
    ROLES,
    SENTINEL,
    added_ids,
    with_control_tokens,
)
from keras_lm.text.stream_decoder import StreamDecoder
from keras_lm.text.token_offsets import byte_token_offsets, trim_offsets
from keras_lm.text.unicode import SPACE_SIGN, as_unicode, escape, unescape

# Changed by each setting of SentencePiece that would lose something of a text.
_PROBE = (
    "  A\uff21\u00e9e\u0301 \t\n\r\0\u4e2d\U0001f469\u200d\U0001f467 <s></s><unk>  "
)


class SentencePieceTokenizer:
    r"""Text to token ids and back, with nothing lost on the way.

    `decode(encode(text)) == text` for every valid Unicode string, its spaces, tabs
    and newlines included: characters outside the vocabulary are spelled in UTF-8
    bytes, nothing is normalised, and text that looks like a special token ("</s>",
    "<0x0A>") stays text. U+2581, SentencePiece's own space sign, is escaped (see
    `keras_lm.text.unicode`). Invalid UTF-8 becomes U+FFFD. `decode` takes any ids:
    special tokens give nothing, and bytes that are no character give U+FFFD.

    `vocabulary_size`, `padding_id`, `separator_id` (between documents, before a target,
    and the end of a generated text) and `unknown_id` (which `encode` never gives) are
    attributes; `vocabulary_bytes` is what each token adds to a text. `mask_id` and
    `sentinel_ids` are for pretraining: `None` and `[]` until `with_special_tokens`
    adds them. `role_ids`, by role, begin the turns of a chat: `{}` until `with_roles`.
    `special_ids` are all that no text gives. `GraphTokenizer` is the same inside a
    TensorFlow graph.

    Args:
        model_proto: bytes. A SentencePiece model, as `train_tokenizer` makes it.

    Raises:
        TypeError: `model_proto` is not bytes.
        ValueError: `model_proto` is no SentencePiece model, or one that does not
            give every text back, or one without padding and end tokens.

    Example:
        >>> from keras_lm import text
        >>> tokenizer = text.train_tokenizer(["one two three"] * 5, 300)
        >>> token_ids = tokenizer.encode("  three, two\n")
        >>> tokenizer.decode(token_ids)
        '  three, two\n'

    Source: https://arxiv.org/abs/1808.06226
    """

    FILE_SUFFIX = ".model"

    def __init__(self, model_proto: bytes):
        self._processor = _processor(model_proto)
        self.model_proto = model_proto
        self.vocabulary_size = self._processor.vocab_size()
        self.padding_id = self._processor.pad_id()
        self.separator_id = self._processor.eos_id()
        self.unknown_id = self._processor.unk_id()
        added = added_ids(self._processor)
        self.mask_id, self.sentinel_ids, self.role_ids = added
        self.special_ids = [n for n in range(self.vocabulary_size) if self._special(n)]
        self.vocabulary_bytes = [
            _bytes_of(self._processor, n) for n in range(self.vocabulary_size)
        ]
        self._refuse_lossy_model()

    def encode(self, text):
        """Text to token ids, without special tokens.

        Args:
            text: str, UTF-8 bytes, or a list of these.

        Returns:
            list of int, or for a list of texts a list of these; `[]` for `""`.

        Raises:
            TypeError: a text is neither str nor bytes.
        """
        if isinstance(text, (str, bytes)):
            return self._processor.encode(escape(as_unicode(text)))
        return self._processor.encode([escape(as_unicode(one)) for one in text])

    def encode_with_offsets(self, text: str | bytes) -> tuple[list[int], np.ndarray]:
        """Text to token ids, without special tokens, and where each token stands.

        Shapes: `N` tokens.

        Args:
            text: str or UTF-8 bytes. Offsets count the characters of valid Unicode.

        Returns:
            `(token_ids, offsets)`: list of int, and int64 `(N, 2)`, the first character
            of each token and the one behind its last, without white space at its ends.

        Raises:
            TypeError: `text` is neither str nor bytes.
        """
        text = as_unicode(text)
        token_ids = self.encode(text)
        sizes = [len(self.vocabulary_bytes[token_id]) for token_id in token_ids]
        return token_ids, trim_offsets(text, byte_token_offsets(text, sizes))

    def decode(self, token_ids):
        """Token ids to text.

        Args:
            token_ids: sequence or array of int, or a sequence of these.

        Returns:
            str, or for a sequence of sequences a list of str.

        Raises:
            ValueError: a token id is below 0 or not below the vocabulary's size.
        """
        if not isinstance(token_ids, (list, tuple)):
            token_ids = np.asarray(token_ids).tolist()  # an array of any backend
        if len(token_ids) and np.ndim(token_ids[0]):
            return [self.decode(one) for one in token_ids]
        return unescape(self.token_bytes(token_ids).decode("utf-8", "replace"))

    def token_bytes(self, token_ids) -> bytes:
        """The UTF-8 bytes of tokens, U+2581 and ESC still escaped.

        Args:
            token_ids: sequence of int.

        Returns:
            bytes, possibly parts of characters.

        Raises:
            ValueError: a token id is below 0 or not below the vocabulary's size.
        """
        if len(token_ids) and not (
            0 <= min(token_ids) and max(token_ids) < self.vocabulary_size
        ):
            raise ValueError(
                f"a token id must be at least 0 and below {self.vocabulary_size}. "
                f"Received: {min(token_ids)} to {max(token_ids)}"
            )
        return b"".join([self.vocabulary_bytes[n] for n in token_ids])

    def stream_decoder(self, before=()) -> StreamDecoder:
        """A decoder that takes token ids one at a time.

        Args:
            before: token ids that stand before them, which change nothing here.

        Returns:
            `StreamDecoder` with `push(token_id)` and `flush()`.
        """
        return StreamDecoder(self)

    def with_special_tokens(self, num_sentinels: int = 0) -> "SentencePieceTokenizer":
        """The same tokenizer with a mask token, and sentinels for span denoising.

        They are behind the vocabulary: every other token keeps its id, and no text
        gives one of them. What is there already is not added again.

        Args:
            num_sentinels: int, at least 0. How many sentinels there are to be.

        Returns:
            `SentencePieceTokenizer` with `mask_id` and at least as many `sentinel_ids`.

        Raises:
            ValueError: `num_sentinels` is below 0.

        Example:
            >>> from keras_lm import text
            >>> tokenizer = text.train_tokenizer(["one two three"] * 5, 300)
            >>> longer = tokenizer.with_special_tokens(num_sentinels=9)
            >>> longer.vocabulary_size - tokenizer.vocabulary_size
            10
        """
        if num_sentinels < 0:
            raise ValueError(
                "`num_sentinels` must be at least 0. "
                f"Received: num_sentinels={num_sentinels}"
            )
        names = [] if self.mask_id is not None else [MASK]
        numbers = range(len(self.sentinel_ids), num_sentinels)
        names += [SENTINEL.format(n) for n in numbers]
        return type(self)(with_control_tokens(self.model_proto, names))

    def with_roles(self) -> "SentencePieceTokenizer":
        """The same tokenizer with a token for each role of a chat.

        "system", "user" and "assistant" begin their turns with it. The tokens are
        behind the vocabulary, and no text gives one of them: nothing that is written in
        a turn can begin another. What is there already is not added again.

        The vocabulary grows: make the model for its `vocabulary_size`, also one that is
        pretrained on plain texts first.

        Returns:
            `SentencePieceTokenizer` with `role_ids`.

        Example:
            >>> from keras_lm import text
            >>> tokenizer = text.train_tokenizer(["one two three"] * 5, 300)
            >>> list(tokenizer.with_roles().role_ids)
            ['system', 'user', 'assistant']
        """
        names = [] if self.role_ids else [ROLE.format(role) for role in ROLES]
        return type(self)(with_control_tokens(self.model_proto, names))

    def save(self, path):
        """Writes the SentencePiece model to one file.

        Args:
            path: str or path. The file, usually `....model`.

        Raises:
            OSError: the file cannot be written.
        """
        pathlib.Path(path).write_bytes(self.model_proto)

    @classmethod
    def load(cls, path) -> "SentencePieceTokenizer":
        """The tokenizer that `save` wrote.

        Args:
            path: str or path. The file.

        Returns:
            `SentencePieceTokenizer`.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file holds no tokenizer that `train_tokenizer` made.
        """
        try:
            return cls(pathlib.Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def _special(self, token_id):
        check = self._processor
        return check.is_control(token_id) or check.is_unknown(token_id)

    def _refuse_lossy_model(self):
        if min(self.padding_id, self.separator_id) < 0:
            raise ValueError(
                "the SentencePiece model must have a padding and an end token. "
                f"Received: pad_id={self.padding_id}, eos_id={self.separator_id}"
            )
        if self.decode(self.encode(_PROBE)) != _PROBE:
            raise ValueError(
                "the SentencePiece model must give every text back: byte fallback, "
                "no normalisation, no dummy prefix. Received: a model that turns "
                f"{_PROBE!r} into {self.decode(self.encode(_PROBE))!r}"
            )


def _processor(model_proto):
    import sentencepiece

    if not isinstance(model_proto, bytes):
        raise TypeError(
            "`model_proto` must be the bytes of a SentencePiece model. "
            f"Received: {type(model_proto).__name__}"
        )
    try:
        # No bytes at all would pass for "nothing to load yet".
        proto = model_proto or b"nothing"
        return sentencepiece.SentencePieceProcessor(model_proto=proto)
    except RuntimeError as error:
        raise ValueError(
            "`model_proto` must be a SentencePiece model. "
            f"Received: {len(model_proto)} bytes that are none"
        ) from error


def _bytes_of(processor, token_id):
    """What one token adds to a text, in UTF-8."""
    if processor.is_control(token_id) or processor.is_unknown(token_id):
        return b""
    piece = processor.id_to_piece(token_id)
    if processor.is_byte(token_id):  # "<0x0A>"
        return bytes.fromhex(piece[3:5])
    return piece.replace(SPACE_SIGN, " ").encode("utf-8")
