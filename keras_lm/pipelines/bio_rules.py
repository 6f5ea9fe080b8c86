"""Which label may follow which, and the likeliest labels that keep to it."""

from collections.abc import Sequence

import numpy as np

from keras_lm.text.bio_spans import parse_label


def bio_rules(labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The constraints of BIO: "I-X" stands behind "B-X" or "I-X" only.

    Shapes: `L` labels.

    Args:
        labels: str each.

    Returns:
        `(may_begin, may_follow)`: bool `(L,)`, whether a text may begin so; and bool
        `(L, L)`, whether the label of a column may stand behind that of a row.

    Raises:
        ValueError: there is an "I-X" without "B-X".

    Example:
        >>> may_begin, may_follow = bio_rules(["O", "B-X", "I-X"])
        >>> may_begin.tolist(), may_follow[:, 2].tolist()
        ([True, True, False], [False, True, True])
    """
    parsed = [parse_label(label) for label in labels]
    for kind, name in parsed:
        if kind == "I" and ("B", name) not in parsed:
            raise ValueError(
                "There must be a label that begins a span for each that goes on in "
                f"one. Received: 'I-{name}' without 'B-{name}'"
            )
    inside = np.array([kind == "I" for kind, _ in parsed])
    in_span = np.array([kind in ("B", "I") for kind, _ in parsed])
    alike = np.array([[a == b for _, b in parsed] for _, a in parsed])
    return ~inside, ~inside[None] | (alike & in_span[:, None])


def best_labels(
    log_probabilities: np.ndarray, lengths: np.ndarray, may_begin, may_follow
) -> np.ndarray:
    """The likeliest labels of each text that keep to the rules (Viterbi's algorithm).

    Of all `l_1 .. l_W` in which each may follow the one before it, those with the
    largest

        sum over words of  log p_w(l_w)

    Shapes: `B` texts, `W` words of the longest, `L` labels.

    Args:
        log_probabilities: float `(B, W, L)`.
        lengths: int `(B,)`. The words of each text.
        may_begin: bool `(L,)`, of `bio_rules`.
        may_follow: bool `(L, L)`, of `bio_rules`.

    Returns:
        int `(B, W)`; 0 behind the end of a text.

    Source: https://doi.org/10.1109/TIT.1967.1054010.
    """
    batch, width, num_labels = log_probabilities.shape
    best = np.zeros((batch, width), "int64")
    if not best.size:
        return best
    barred = np.where(may_follow, 0.0, -np.inf)  # (L, L)
    score = log_probabilities[:, 0] + np.where(may_begin, 0.0, -np.inf)  # (B, L)
    came_from = np.zeros((width, batch, num_labels), "int64")
    for word in range(1, width):
        paths = score[:, :, None] + barred  # (B, from, to)
        came_from[word] = paths.argmax(axis=1)
        longer = paths.max(axis=1) + log_probabilities[:, word]
        there = (word < lengths)[:, None]
        score = np.where(there, longer, score)
        came_from[word] = np.where(there, came_from[word], np.arange(num_labels))
    label = score.argmax(axis=1)  # (B,), of the last word
    for word in range(width - 1, -1, -1):
        best[:, word] = np.where(word < lengths, label, 0)
        label = came_from[word, np.arange(batch), label]
    return best
