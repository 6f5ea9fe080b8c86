"""Documents to train on, and whole documents kept apart to measure on."""

import random


def split_documents(documents, held_out_fraction=0.1, seed=0):
    """Keeps about a fraction of the text apart, by whole documents.

    Documents are drawn in an order fixed by `seed` and held out as long as they
    fit into the fraction, counted in characters; where none fits, the shortest is.

    Args:
        documents: sequence of `Document`, at least 2.
        held_out_fraction: float, above 0 and below 1. The part of the characters.
        seed: int. The same seed draws the same documents.

    Returns:
        `(train, held_out)`: two lists of `Document` in the order given, neither empty.

    Raises:
        ValueError: `held_out_fraction` is not between 0 and 1, or there are fewer
            than 2 documents.

    Example:
        >>> from keras_lm import text
        >>> documents = [text.Document(str(n), "ten chars.") for n in range(20)]
        >>> train, held_out = text.split_documents(documents, 0.1)
        >>> len(train), len(held_out)
        (18, 2)
    """
    documents = list(documents)
    if not 0 < held_out_fraction < 1:
        raise ValueError(
            "`held_out_fraction` must be above 0 and below 1. "
            f"Received: held_out_fraction={held_out_fraction}"
        )
    if len(documents) < 2:
        raise ValueError(
            "A split needs at least 2 documents. "
            f"Received: {len(documents)} document(s)"
        )
    sizes = [len(document.text) for document in documents]
    order = list(range(len(documents)))
    random.Random(seed).shuffle(order)  # noqa: S311 (nothing secret)
    room = held_out_fraction * sum(sizes)
    chosen = set()
    for number in order:
        if sizes[number] <= room and len(chosen) < len(documents) - 1:
            chosen.add(number)
            room -= sizes[number]
    chosen = chosen or {min(order, key=sizes.__getitem__)}
    train = [d for number, d in enumerate(documents) if number not in chosen]
    held_out = [d for number, d in enumerate(documents) if number in chosen]
    return train, held_out
