"""Which of a word's senses is the answer, when the first is the likeliest."""

import numpy as np


def sense_above(scores: np.ndarray, lead: float) -> int:
    """The sense of the best score where it is above the first by more than a lead.

    Args:
        scores: float `(S,)`, one for each sense, the most frequent sense first.
        lead: float, at least 0.

    Returns:
        int: the place of the best score if this is above `scores[0] + lead`, else 0.

    Example:
        >>> scores = np.array([0.5, 0.75, 0.625])
        >>> sense_above(scores, 0.125), sense_above(scores, 0.25)
        (1, 0)
    """
    best = int(scores.argmax())
    return best if scores[best] > scores[0] + lead else 0
