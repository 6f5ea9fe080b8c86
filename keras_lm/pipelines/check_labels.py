"""Refuses labels that are not those of a model."""

from collections.abc import Collection, Mapping, Sequence


def check_labels(labels: Sequence[str], num_classes: int) -> None:
    """Refuses labels that are not a name for each class.

    Args:
        labels: to be a string for each class, no two alike.
        num_classes: int, of the model.

    Raises:
        TypeError: `labels` are no list of strings.
        ValueError: there are not as many labels as classes, or two are alike.
    """
    # A set has no order, and what is read once only would be empty afterwards.
    is_list = isinstance(labels, Collection) and not isinstance(
        labels, (str, Mapping, set, frozenset)
    )
    if not is_list or not all(isinstance(one, str) for one in labels):
        raise TypeError(
            f"`labels` must be a list of strings. Received: labels={labels!r}"
        )
    if len(labels) != num_classes:
        raise ValueError(
            f"There must be a label for each of the model's {num_classes} "
            f"classes. Received: {len(labels)} labels"
        )
    if len(set(labels)) < len(labels):
        twice = sorted({one for one in labels if list(labels).count(one) > 1})
        raise ValueError(f"No two labels may be alike. Received: {twice} twice")
