"""A text with a name."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Document:
    """A text with a name: a source module's docstrings, a file, part of a file.

    Args:
        name: str. Where the text comes from, unique in its corpus.
        text: str. What a language model reads.

    Example:
        >>> from keras_lm import text
        >>> text.Document(name="json.decoder", text="Implementation of JSONDecoder")
        Document(name='json.decoder', text='Implementation of JSONDecoder')
    """

    name: str
    text: str
