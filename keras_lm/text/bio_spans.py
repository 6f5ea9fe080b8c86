"""A label for each word to the spans of a text."""

from collections.abc import Sequence

from keras_lm.text.bio_labels import OUTSIDE
from keras_lm.text.split_words import Word


def bio_spans(words: Sequence[Word], labels: Sequence[str]) -> list[tuple]:
    """The spans that labels speak of, from `bio_labels`, a data set or a tagger.

    "I-X" behind a word of another span begins one. A label that is neither "O" nor
    written with "B-" or "I-", as of a part of speech, is a span of one word.

    Args:
        words: of `split_words`, in order.
        labels: a string for each word.

    Returns:
        list of `(start, end, label)` in order: places of characters.

    Raises:
        ValueError: there are not as many labels as words.

    Example:
        >>> words = keras_lm.text.split_words("Ada met Bob Lee")
        >>> bio_spans(words, ["B-PER", "O", "B-PER", "I-PER"])
        [(0, 3, 'PER'), (8, 15, 'PER')]
    """
    if len(words) != len(labels):
        raise ValueError(
            "There must be a label for each word. "
            f"Received: {len(words)} words and {len(labels)} labels"
        )
    return [
        (words[first].start, words[end - 1].end, label)
        for first, end, label in word_spans(labels)
    ]


def word_spans(labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """The same in places of words.

    Args:
        labels: a string for each word.

    Returns:
        list of `(first, end, label)` in order; `end` is the word behind the last.

    Example:
        >>> word_spans(["B-PER", "O", "B-PER", "I-PER"])
        [(0, 1, 'PER'), (2, 4, 'PER')]
    """
    spans, open_label = [], None
    for place, (kind, label) in enumerate(map(parse_label, labels)):
        if kind == "I" and label == open_label:
            spans[-1] = (spans[-1][0], place + 1, label)
        elif kind != OUTSIDE:
            spans.append((place, place + 1, label))
        open_label = label if kind in ("B", "I") else None
    return spans


def parse_label(label: str) -> tuple[str, str]:
    """What a label says.

    Args:
        label: str.

    Returns:
        `(kind, span)`: "B", "I", "O" or, for a label of single words, ""; and the label
        of its span, "" outside.

    Example:
        >>> parse_label("I-ARGM-TMP"), parse_label("O"), parse_label("NN")
        (('I', 'ARGM-TMP'), ('O', ''), ('', 'NN'))
    """
    if label == OUTSIDE:
        return OUTSIDE, ""
    if label[:2] in ("B-", "I-"):
        return label[0], label[2:]
    return "", label
