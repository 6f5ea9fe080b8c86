"""What datasets share: a check of numbers."""


def check_at_least(least: int, **numbers) -> None:
    """Refuses numbers below a limit.

    Args:
        least: int.
        **numbers: ints, by the argument's name.

    Raises:
        ValueError: a number is below `least`.
    """
    for name, number in numbers.items():
        if number < least:
            raise ValueError(
                f"`{name}` must be at least {least}. Received: {name}={number}"
            )
