"""The table at the end of the demo: what was made, its size, whether it agrees."""

import resource
import time
from pathlib import Path

from rich.table import Table


class Report:
    """Rows of the table, added while the demo runs.

    Args:
        began_s: float. `time.perf_counter()` at the beginning.

    Example:
        >>> import time
        >>> report = Report(time.perf_counter())
        >>> report.add("perplexity", "61.2")
        >>> report.agrees
        True
    """

    def __init__(self, began_s: float):
        self.began_s = began_s
        self.rows: list[tuple[str, str, str, str]] = []
        self.agrees = True
        self.values: dict[str, float] = {}

    def add(self, what, told, path: Path | None = None, agrees: bool | None = None):
        """One more row.

        Args:
            what: str. What was made or measured.
            told: str. What there is to say of it.
            path: of a file or folder, whose size is shown.
            agrees: bool or `None`. Whether it says what the model says.
        """
        size = "" if path is None else _megabytes(path)
        verdict = {None: "", True: "agrees", False: "DIFFERS"}[agrees]
        self.agrees = self.agrees and agrees is not False
        self.rows.append((what, told, size, verdict))

    def last(self, count: int) -> str:
        """The newest rows as plain lines.

        Args:
            count: int.

        Returns:
            str.
        """
        return "\n".join(f"{what}: {told}" for what, told, *_ in self.rows[-count:])

    def finish(self) -> None:
        """Adds what it all took."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        minutes = (time.perf_counter() - self.began_s) / 60
        told = f"{minutes:.1f} minutes, {max(peak, children):.1f} GiB at most"
        self.add("all of it", told)

    def table(self, title: str) -> Table:
        """The rows as a table of rich.

        Args:
            title: str.

        Returns:
            `rich.table.Table`.
        """
        table = Table(title=title)
        for heading in ("what", "", "size", "same greedy text"):
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        return table


def _megabytes(path: Path) -> str:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB"
