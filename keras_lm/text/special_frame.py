"""The special tokens that a pretrained tokenizer puts around a text."""


def special_frame(tokenizer) -> tuple[list[int], list[int]]:
    """What stands before and behind a text, whichever it is.

    They are read off a text that gives tokens: a dot, or where that is nothing to the
    tokenizer, what some piece of its vocabulary says.

    Args:
        tokenizer: `tokenizers.Tokenizer`.

    Returns:
        `(before, behind)`: lists of int.

    Raises:
        ValueError: there are special tokens, and no text gives any other.
    """
    if not tokenizer.num_special_tokens_to_add(False):
        return [], []
    ids = range(tokenizer.get_vocab_size())
    for text in (".", *(tokenizer.decode([token_id]) for token_id in ids)):
        encoded = tokenizer.encode(text)
        inside = [place for place, one in enumerate(encoded.sequence_ids) if one == 0]
        if inside:
            return encoded.ids[: inside[0]], encoded.ids[inside[-1] + 1 :]
    raise ValueError(
        "A tokenizer must give tokens for some text, by which it is known where its "
        f"special ones stand. Received: none for all {len(ids)} pieces"
    )
