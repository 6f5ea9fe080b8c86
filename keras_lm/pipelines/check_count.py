"""A setting that counts something."""

import math


def check_count(name: str, value, least: int, most: float = math.inf) -> None:
    """Checks that a setting is an int within its range.

    Args:
        name: str, as users know it.
        value: what they gave.
        least: int.
        most: int, or infinity.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int) or not least <= value <= most:
        limit = f" and at most {most}" if most < math.inf else ""
        raise ValueError(
            f"`{name}` must be an int, at least {least}{limit}. "
            f"Received: {name}={value!r}"
        )
