"""What answers begin with: texts, as token ids for each row of a search."""

from collections.abc import Sequence


def target_prefixes(given, documents: Sequence, tokenizer) -> list[list[int]] | None:
    """The tokens with which the answers to each row of some texts begin.

    Args:
        given: str or UTF-8 bytes for all texts, a list with one for each, or `None`.
        documents: for each text its parts, see `slices`.
        tokenizer: `text.SentencePieceTokenizer` of the answers.

    Returns:
        list of int for each row of all parts, or `None` where no answer has a prefix.

    Raises:
        TypeError: a prefix is no text.
        ValueError: not as many prefixes as texts, or one for a text in slices, whose
            answers have no one beginning.

    Example:
        >>> from keras_lm.pipelines.slices import Part
        >>> from keras_lm.pipelines.target_prefixes import target_prefixes
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> documents = [[Part([[5]], "")], [Part([[6, 7]], "")]]
        >>> prefixes = target_prefixes(["one", ""], documents, tokenizer)
        >>> tokenizer.decode(prefixes)
        ['one', '']
    """
    if given is None:
        return None
    is_one = isinstance(given, (str, bytes))
    texts = [given] * len(documents) if is_one else list(given)
    if len(texts) != len(documents):
        raise ValueError(
            "`target_prefix` must be one text, or one for each of the texts. Received: "
            f"{len(texts)} for {len(documents)} texts"
        )
    rows, prefixes = [], tokenizer.encode(texts)
    for i, (parts, prefix) in enumerate(zip(documents, prefixes, strict=True)):
        count = sum(len(part.rows) for part in parts)
        if prefix and count != 1:
            raise ValueError(
                "A text whose answer has a prefix must fit `max_source_length`, for "
                "answers to slices have no one beginning. Received: slices of text "
                f"{i}, {count} of them"
            )
        rows += [prefix] * count
    return rows if any(prefixes) else None
