"""A setting that is a number."""

import math
from numbers import Real


def check_number(name: str, value, least: float, most: float = math.inf) -> None:
    """Checks that a setting is a finite number within its range.

    Args:
        name: str, as users know it.
        value: what they gave.
        least: float.
        most: float, or infinity.

    Raises:
        ValueError: it is not.
    """
    number = float(value) if isinstance(value, Real) else math.nan
    if not (math.isfinite(number) and least <= number <= most):
        limit = f"from {least} to {most}" if most < math.inf else f"at least {least}"
        raise ValueError(
            f"`{name}` must be a number, {limit}. Received: {name}={value!r}"
        )
