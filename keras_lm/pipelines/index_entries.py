"""Refuses ids and metadata that an index of texts cannot keep."""

import json
from collections.abc import Container, Iterable, Sequence


def check_ids(ids: Sequence, count: int, known: Container) -> list:
    """The ids of new texts.

    Args:
        ids: int or str for each text.
        count: int, the number of texts.
        known: the ids that are there.

    Returns:
        list of ids.

    Raises:
        TypeError: `ids` is a string, or an id is neither int nor str.
        ValueError: there is not one for each text, two are alike, or one is known.
    """
    if isinstance(ids, (str, bytes)):
        raise TypeError(f"`ids` must be a list of ids. Received: {ids!r:.50}")
    ids = list(ids)
    for one in ids:
        if not isinstance(one, (int, str)) or isinstance(one, bool):
            raise TypeError(f"An id must be an int or a str. Received: {one!r}")
    if len(ids) != count:
        raise ValueError(
            "There must be an id for each text. "
            f"Received: {count} texts and {len(ids)} ids"
        )
    seen = set()
    for one in ids:
        if one in known or one in seen:
            raise ValueError(
                "An id must be a new one (`remove` the old text first). "
                f"Received: {one!r}"
            )
        seen.add(one)
    return ids


def check_metadata(metadata: Sequence | None, count: int) -> list:
    """What is kept beside new texts, as JSON will give it back.

    Args:
        metadata: for each text what JSON can hold, or `None` for nothing.
        count: int, the number of texts.

    Returns:
        list, `None` for each text that has none.

    Raises:
        TypeError: JSON cannot hold it.
        ValueError: it is no list with one for each text.
    """
    if metadata is None:
        return [None] * count
    is_list = isinstance(metadata, Iterable)
    is_list = is_list and not isinstance(metadata, (str, bytes, dict))
    given = list(metadata) if is_list else []
    if not is_list or len(given) != count:
        raise ValueError(
            "There must be metadata for each text, in a list. "
            f"Received: {metadata!r:.50} for {count} texts"
        )
    kept = []
    for one in given:
        try:
            kept.append(json.loads(json.dumps(one, allow_nan=False)))
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"Metadata must be what JSON can hold. Received: {one!r:.50} ({error})"
            ) from error
    return kept
