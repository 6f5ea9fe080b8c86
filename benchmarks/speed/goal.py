"""What a contest should show."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

BACKENDS = ("tensorflow", "jax", "torch")


class CannotRunError(Exception):
    """A contest cannot be held here; its message says why."""


@dataclass(frozen=True)
class Goal:
    """A bound on something of the seconds that the rivals took in one round.

    Args:
        name: what is compared with what.
        of: seconds by rival -> the number that is bounded; `None` where a rival that it
            needs is absent.
        at_least: float or `None`.
        at_most: float or `None`.
        backends: those that it is claimed for.
        best: bool. It is claimed for the best of them alone.
    """

    name: str
    of: Callable
    at_least: float | None = None
    at_most: float | None = None
    backends: tuple = BACKENDS
    best: bool = False

    def numbers(self, rounds) -> list:
        """The number of each round of a process.

        Args:
            rounds: list of `{rival: seconds}`.

        Returns:
            list of float, empty where a rival is absent or nothing was run.
        """
        found = [self.of(seconds) for seconds in rounds]
        return [number for number in found if number is not None]

    def verdict(self, processes) -> str:
        """Says "met" or "missed" where that is established.

        It is where each round of at least two processes agrees; else the goal is
        "open", or "not run" where no process came to it.

        Args:
            processes: list of what `numbers` gives for each process.
        """
        if not any(processes):
            return "not run"
        if len(processes) < 2 or not all(processes):
            return "open"
        reached = [self.reached(n) >= 1 for numbers in processes for n in numbers]
        return "met" if all(reached) else "open" if any(reached) else "missed"

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

    def median_reached(self, processes) -> float:
        """How far the median of the processes' medians reaches it; 0 without any."""
        medians = [statistics.median(numbers) for numbers in processes if numbers]
        return self.reached(statistics.median(medians)) if medians else 0.0


def times_as_fast(rival, ours="keras_lm"):
    """The function of a `Goal`: how many times as fast ours is as the rival."""

    def of(seconds):
        if rival in seconds and ours in seconds:
            return seconds[rival] / seconds[ours]
        return None

    return of
