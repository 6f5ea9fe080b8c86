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
            to behind the last one of a word. No two share a word; any order. The label
            is not empty.

    Returns:
        list of str, one for each word.

    Raises:
        TypeError: a word is not of `split_words`, or the label of a span no string.
        ValueError: a span is no triple, has an empty label, does not begin and end
            where words do, or overlaps another; or two words begin or end at one place,
            as an empty one does among characters.

    Example:
        >>> words = keras_lm.text.split_words("Ada met Bob Lee")
        >>> bio_labels(words, [(0, 3, "PER"), (8, 15, "PER")])
        ['B-PER', 'O', 'B-PER', 'I-PER']
    """
    _check_words(words)
    starts = {word.start: place for place, word in enumerate(words)}
    ends = {word.end: place for place, word in enumerate(words)}
    if min(len(starts), len(ends)) < len(words):
        raise ValueError(
            "No two words may begin or end at one place, as an empty one does among "
            f"characters. Received: {[word.text for word in words]!r:.80}"
        )
    labels = [OUTSIDE] * len(words)
    for start, end, label in map(_triple, spans):
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


def _check_words(words):
    strange = [word for word in words if not isinstance(word, Word)]
    if strange:
        raise TypeError(
            "`words` must be those of `split_words`, which have places. "
            f"Received: {strange[0]!r:.80}"
        )


def _triple(span):
    if not isinstance(span, (list, tuple)) or len(span) != 3:
        raise ValueError(
            f"A span must be `(start, end, label)`. Received: {span!r:.80}"
        )
    if not isinstance(span[2], str):
        raise TypeError(f"The label of a span must be a str. Received: {span!r:.80}")
    if not span[2]:
        raise ValueError(f"The label of a span must not be empty. Received: {span!r}")
    return span
