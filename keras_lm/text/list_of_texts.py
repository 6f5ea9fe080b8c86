"""Lists of texts: one string is none, though Python could go through it."""

from collections.abc import Iterable, Mapping


def list_of_texts(texts: Iterable, argument: str = "texts") -> list:
    """What is meant as a list of texts, as a list.

    Args:
        texts: str or UTF-8 bytes, in a list or another iterable.
        argument: str, its name in the error.

    Returns:
        list.

    Raises:
        TypeError: `texts` is one string, a dictionary, or nothing to go through.
    """
    if _is_no_list(texts):
        raise TypeError(
            f"`{argument}` must be a list of texts. Received: {texts!r:.50}"
        )
    return list(texts)


def lists_of_texts(rows: Iterable, argument: str) -> list[list]:
    """What is meant as a list of lists of texts, as lists.

    Args:
        rows: iterable of iterables of str or UTF-8 bytes.
        argument: str, its name in errors.

    Returns:
        list of lists.

    Raises:
        TypeError: `rows`, or one of them, is no list, as above.
    """
    if _is_no_list(rows):
        raise TypeError(
            f"`{argument}` must be lists of texts, in a list. Received: {rows!r:.50}"
        )
    return [
        list_of_texts(row, f"{argument}[{place}]") for place, row in enumerate(rows)
    ]


def _is_no_list(texts):
    """Of a dictionary Python would go through the keys."""
    return isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable)
