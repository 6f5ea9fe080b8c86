"""Token ids to text while they come."""

import codecs

from keras_lm.text.unicode import ESCAPE, unescape


class StreamDecoder:
    """Turns token ids into text one at a time, never half a character.

    A token can be one byte of a character; such bytes, and an escape sign whose
    meaning is not known yet, are kept back until the next token decides. The pieces,
    put together, are `tokenizer.decode` of all the ids.

    Args:
        tokenizer: a `SentencePieceTokenizer`.

    Example:
        >>> from keras_lm import text
        >>> tokenizer = text.train_tokenizer(["one two three"] * 5, 300)
        >>> decoder = tokenizer.stream_decoder()
        >>> pieces = [decoder.push(token_id) for token_id in tokenizer.encode("\u2603")]
        >>> pieces, decoder.flush()
        (['', '', '\u2603'], '')
    """

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def push(self, token_id: int) -> str:
        """The text that is certain with one more token, often of several tokens.

        Args:
            token_id: int, at least 0 and below the vocabulary's size.

        Returns:
            str, possibly empty.

        Raises:
            ValueError: `token_id` is out of range.
        """
        return self.push_bytes(self._tokenizer.token_bytes([token_id]))

    def push_bytes(self, piece: bytes) -> str:
        """The same for what a token adds to the text.

        Args:
            piece: bytes, for example of another tokenizer's `vocabulary_bytes`.

        Returns:
            str, possibly empty.
        """
        return self._certain(self._characters.decode(piece))

    def flush(self) -> str:
        """The rest, at the end: half a character gives U+FFFD.

        Returns:
            str, possibly empty. The decoder is ready for another text.
        """
        text = self._held + self._characters.decode(b"", final=True)
        self._held = ""
        return unescape(text)

    def _certain(self, text):
        text = self._held + text
        self._held = ESCAPE if text.endswith(ESCAPE) else ""
        return unescape(text.removesuffix(ESCAPE))
