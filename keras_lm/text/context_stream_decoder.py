"""Token ids of a pretrained tokenizer to text while they come."""

from collections.abc import Sequence

_HALF = "\ufffd"  # what a part of a character is decoded as


class ContextStreamDecoder:
    """Turns token ids into text one at a time, never half a character.

    What a token says can depend on those before it: the first word of a text has no
    space before it, and bytes are characters only together. So a token says what it
    adds to the text of some before it, once that does not end in half a character. (A
    U+FFFD that the model means waits for the next token too.)

    Args:
        tokenizer: `HuggingFaceTokenizer`.
        before: token ids that stand before, a whole prompt say.

    Source: https://github.com/huggingface/text-generation-inference, streaming of
        tokens by two offsets.
    """

    def __init__(self, tokenizer, before: Sequence[int] = ()):
        self._tokenizer = tokenizer
        self._token_ids = [*before]
        self._said = tokenizer.decode(self._token_ids)
        self._first_unsaid = len(self._token_ids)

    def push(self, token_id: int) -> str:
        """The text that is certain with one more token, often of several tokens.

        Args:
            token_id: int, at least 0.

        Returns:
            str, possibly empty.
        """
        self._token_ids.append(token_id)
        text = self._tokenizer.decode(self._token_ids)
        if text.endswith(_HALF):
            return ""
        new = text[len(self._said) :]
        if new:  # the next tokens need no more before them than those that say this
            self._token_ids = self._token_ids[self._first_unsaid :]
            text = self._tokenizer.decode(self._token_ids)
        self._said, self._first_unsaid = text, len(self._token_ids)
        return new

    def flush(self) -> str:
        """The rest, at the end: half a character gives U+FFFD.

        Returns:
            str, possibly empty.
        """
        text = self._tokenizer.decode(self._token_ids)
        new, self._said = text[len(self._said) :], text
        return new
