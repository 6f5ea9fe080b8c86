"""Spans of a text to a label for each of its words."""

from collections.abc import Sequence

from keras_lm.text.split_words import Word

OUTSIDE = "O"


def bio_labels(words: Sequence[Word], spans: Sequence) -> list[str]:
    """A label for each word: "B-X" begins a span X, "I-X" goes on in it, else "O".

    `bio_spans` gives the spans back.

    Args:
        words: of `split_words`, in order.
        spans: `(start, end, label)`: places of characters, from the first one of a word
            to behind the last one of a word. No two share a word; any order.

    Returns:
        list of str, one for each word.

    Raises:
        ValueError: a span is empty, does not begin and end where words do, or overlaps
            another.

    Example:
        >>> words = keras_lm.text.split_words("Ada met Bob Lee")
        >>> bio_labels(words, [(0, 3, "PER"), (8, 15, "PER")])
        ['B-PER', 'O', 'B-PER', 'I-PER']
    """
    starts = {word.start: place for place, word in enumerate(words)}
    ends = {word.end: place for place, word in enumerate(words)}
    labels = [OUTSIDE] * len(words)
    for start, end, label in spans:
        first, last = starts.get(start), ends.get(end)
        if first is None or last is None or last < first:
            raise ValueError(
                "A span must begin where a word does and end where one does. "
                f"Received: {label!r} from {start} to {end}"
            )
        if any(one != OUTSIDE for one in labels[first : last + 1]):
            raise ValueError(
                "No two spans may share a word. Received: "
                f"{label!r} from {start} to {end}, where another one is"
            )
        labels[first : last + 1] = [f"B-{label}"] + [f"I-{label}"] * (last - first)
    return labels
