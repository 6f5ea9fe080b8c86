"""Ends a text where one of some strings begins, while the text is still coming."""

from collections.abc import Sequence


class StopStrings:
    """Lets text through up to the first stop string, and holds back what may be one.

    The first is the one that is complete first, the longest of those that end together;
    so it does not matter in which pieces the text comes.

    Args:
        stop: list or tuple of strings, none of them empty.

    Raises:
        TypeError: `stop` is no list or tuple, or holds something else than strings.
        ValueError: a stop string is empty.

    Example:
        >>> stops = StopStrings(["END"])
        >>> stops.push("to the E"), stops.push("ast EN"), stops.push("D of it")
        ('to the ', 'East ', '')
        >>> stops.found
        True
    """

    def __init__(self, stop: Sequence[str]):
        # Not what can be read once only: each row of a batch has stops of its own.
        is_list = isinstance(stop, (list, tuple))
        if not is_list or not all(isinstance(one, str) for one in stop):
            raise TypeError(
                f"`stop` must be a list of strings. Received: stop={stop!r}"
            )
        if "" in stop:
            raise ValueError(f"`stop` must hold no empty string. Received: stop={stop}")
        self.stop = list(stop)
        self.found = False
        self._held = ""

    def push(self, piece: str) -> str:
        """The text that is certain with one more piece.

        Args:
            piece: str.

        Returns:
            str, possibly empty; nothing once a stop string was found.
        """
        if self.found:
            return ""
        text = self._held + piece
        starts = [(one, text.find(one)) for one in self.stop if one in text]
        if starts:
            self.found, self._held = True, ""
            return text[: min((start + len(one), start) for one, start in starts)[1]]
        held = max((_overlap(text, one) for one in self.stop), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """What was held back, at the end.

        Returns:
            str, possibly empty.
        """
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many of the last characters of `text` begin `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
