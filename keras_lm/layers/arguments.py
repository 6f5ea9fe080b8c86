"""What constructors share: checks of sizes and fractions, and seeds of their own."""

from numbers import Real


def check_sizes(**sizes):
    """Refuses sizes below 1.

    Args:
        **sizes: ints, by the argument's name.

    Raises:
        ValueError: a size is below 1.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={size}")


def check_heads(num_heads, hidden_dim):
    """Refuses a number of heads that does not divide the width.

    Args:
        num_heads: int.
        hidden_dim: int.

    Raises:
        ValueError: `num_heads` is below 1, or does not divide `hidden_dim`.
    """
    if num_heads < 1 or hidden_dim % num_heads:
        raise ValueError(
            "`hidden_dim` must be a multiple of `num_heads`. Received: "
            f"hidden_dim={hidden_dim}, num_heads={num_heads}"
        )


def check_dropout(dropout):
    """Refuses what is no fraction to drop.

    Args:
        dropout: float.

    Raises:
        ValueError: `dropout` is below 0, or not below 1.
    """
    if not 0 <= dropout < 1:
        raise ValueError(
            f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}"
        )


def check_positive(name, number):
    """Refuses what is no number above 0.

    Args:
        name: str, the argument's.
        number: float.

    Raises:
        ValueError: `number` is no number, or not above 0.
    """
    if not (isinstance(number, Real) and number > 0):
        raise ValueError(f"`{name}` must be above 0. Received: {name}={number!r}")


def check_choice(name, choice, known):
    """Refuses what is not among the known.

    Args:
        name: str, the argument's.
        choice: anything.
        known: sequence.

    Raises:
        ValueError: `choice` is not in `known`.
    """
    if choice not in known:
        raise ValueError(
            f"`{name}` must be one of {list(known)}. Received: {name}={choice!r}"
        )


def seed_of(seed, place):
    """Its own seed for each place: equal seeds would drop the same features.

    Args:
        seed: int or `None`.
        place: int.

    Returns:
        int, or `None` for `None`.
    """
    return None if seed is None else seed + place
