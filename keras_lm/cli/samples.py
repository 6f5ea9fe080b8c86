"""What a model wrote, on the screen: where each sample begins and ends."""

from rich.panel import Panel
from rich.text import Text


def sample(title: str, given: str, written: str) -> Panel:
    """A frame around one sample; its lines may be many, or none.

    Args:
        title: str.
        given: str, in bold: what the model was given.
        written: str: what the model wrote.

    Returns:
        `rich.panel.Panel`.

    Example:
        >>> sample("1", "Return the", " sum.").title
        '1'
    """
    return Panel(
        Text.assemble((given, "bold"), written), title=title, title_align="left"
    )
