"""A piece of a text and what it was called."""

from typing import NamedTuple


class TaggedSpan(NamedTuple):
    """A span that `TokenTagger` found.

    Args:
        start: int. The place of its first character.
        end: int. The place behind its last one.
        label: str, without "B-".
        score: float, 0 to 1: the geometric mean of the probabilities of the labels of
            its words.
        text: str, what stands there.

    Example:
        >>> span = TaggedSpan(8, 15, "PER", 0.9, "Bob Lee")
        >>> span.label, "Ada met Bob Lee"[span.start : span.end]
        ('PER', 'Bob Lee')
    """

    start: int
    end: int
    label: str
    score: float
    text: str
