"""What a contest should show."""

from collections.abc import Callable
from dataclasses import dataclass

BACKENDS = ("tensorflow", "jax", "torch")


@dataclass(frozen=True)
class Goal:
    """A bound on something of the seconds that one process measured.

    Args:
        name: what is compared with what.
        of: seconds by rival -> the number that is bounded; `None` where a rival that it
            needs is absent.
        at_least: float or `None`.
        at_most: float or `None`.
        backends: those that it is claimed for.
    """

    name: str
    of: Callable
    at_least: float | None = None
    at_most: float | None = None
    backends: tuple = BACKENDS

    def verdict(self, numbers) -> str:
        """Says "met" or "missed" where all processes agree, else "open".

        Args:
            numbers: one for each process, `None` for one that did not come to it; where
                none did, the goal is "not run".
        """
        if all(number is None for number in numbers):
            return "not run"
        if None in numbers:
            return "open"
        if self.at_least is not None:
            kept = [number >= self.at_least for number in numbers]
        else:
            kept = [number <= self.at_most for number in numbers]
        return "met" if all(kept) else "open" if any(kept) else "missed"

    def bound(self) -> str:
        """As it stands in a table."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}"

    def reached(self, number: float) -> float:
        """A number in parts of the bound, or the other way round: 1 and more is met."""
        if self.at_least is not None:
            return number / self.at_least
        return self.at_most / number


def times_as_fast(rival, ours="keras_lm"):
    """The function of a `Goal`: how many times as fast ours is as the rival."""

    def of(seconds):
        if rival in seconds and ours in seconds:
            return seconds[rival] / seconds[ours]
        return None

    return of
