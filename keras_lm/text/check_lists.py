"""What data sets and reports share: a check that what has an order is a list."""

from collections.abc import Iterable, Mapping


def check_lists(**lists) -> None:
    """Refuses what is no list of some order: nothing in it would be in its place.

    Args:
        **lists: lists or other iterables, by the argument's name.

    Raises:
        TypeError: one is a string, a dictionary, a set, or nothing to go through.
    """
    for name, value in lists.items():
        strange = isinstance(value, (str, bytes, Mapping, set, frozenset))
        if strange or not isinstance(value, Iterable):
            raise TypeError(f"`{name}` must be a list. Received: {value!r:.50}")
