"""Pairs to train on, and pairs kept apart to measure on."""

import random
from collections.abc import Callable, Sequence

_LEAST = 20


def split_pairs(
    pairs: Sequence[tuple[str, str]],
    num_held_out: int | None = None,
    seed: int = 0,
    notify: Callable[[str], object] = print,
) -> tuple[list, list]:
    """Keeps some pairs apart, and what they say out of the others.

    A pair with an empty side is in neither part. A pair whose source or target is that
    of a held-out pair is not trained on: the same sentence with two translations would
    be half known.

    Args:
        pairs: `(source, target)`.
        num_held_out: int, at least 1, or `None` for a tenth, at most 500.
        seed: int. The same seed draws the same pairs.
        notify: function of one string: is told how many pairs are left out, and why.

    Returns:
        `(train, held_out)`: lists of pairs, in the order given.

    Raises:
        ValueError: there are too few pairs.

    Example:
        >>> pairs = [(f"{n} and one", f"{n} et un") for n in range(50)]
        >>> train, held_out = split_pairs(pairs)
        >>> len(train), len(held_out)
        (45, 5)
    """
    whole = [pair for pair in pairs if all(side.strip() for side in pair)]
    if len(whole) < len(pairs):
        num_empty = len(pairs) - len(whole)
        notify(f"{num_empty} of {len(pairs)} pairs are left out: a side is empty.")
    if len(whole) < _LEAST:
        raise ValueError(
            f"Training takes at least {_LEAST} pairs, and a useful translator some "
            f"thousands: give more. Received: {len(whole)} with text on both sides"
        )
    if num_held_out is None:
        num_held_out = min(len(whole) // 10, 500)
    if num_held_out > len(whole) // 2:
        raise ValueError(
            "`num_held_out` must be at most half of the pairs: give more pairs, or a "
            f"smaller number. Received: num_held_out={num_held_out} of {len(whole)}"
        )
    numbers = range(len(whole))
    chosen = set(random.Random(seed).sample(numbers, num_held_out))  # noqa: S311
    held_out = [whole[i] for i in numbers if i in chosen]
    sources, targets = ({pair[side] for pair in held_out} for side in (0, 1))
    rest = [whole[i] for i in numbers if i not in chosen]
    train = [(s, t) for s, t in rest if s not in sources and t not in targets]
    if len(train) < len(rest):
        notify(
            f"{len(rest) - len(train)} pairs are left out of training: a held-out pair "
            "has the same source or target."
        )
    if 2 * len(train) < _LEAST:
        raise ValueError(
            "The pairs must differ, or nothing is left to train on. Received: "
            f"{len(whole)} pairs, of which {len(train)} share nothing with the "
            f"{num_held_out} held out"
        )
    return train, held_out
