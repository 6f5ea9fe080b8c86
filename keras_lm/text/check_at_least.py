"""What datasets share: a check of numbers."""

import numpy as np


def check_at_least(least: int, **numbers) -> None:
    """Refuses numbers below a limit.

    Args:
        least: int.
        **numbers: ints, by the argument's name.

    Raises:
        ValueError: a number is no int, or below `least`.
    """
    for name, number in numbers.items():
        if not isinstance(number, (int, np.integer)):
            raise ValueError(
                f"`{name}` must be an int, at least {least}. "
                f"Received: {name}={number!r}"
            )
        if number < least:
            raise ValueError(
                f"`{name}` must be at least {least}. Received: {name}={number}"
            )
