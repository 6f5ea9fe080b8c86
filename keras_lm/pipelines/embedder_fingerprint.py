"""Whether an embedder gives the vectors that another one gave."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_lm.pipelines.text_arrays import text_arrays

_PROBES = ("", "Returns the sum.", "中文", "🙂 1")
# Of a number of a vector of length 1: more than backends differ, less than training.
_TOLERANCE = 1e-3


def embedder_fingerprint(embedder) -> dict[str, Any]:
    """What an embedder says to a few texts, and where it cuts longer ones.

    Args:
        embedder: `TextEmbedder`.

    Returns:
        dict: `vectors`, dict of lists by text, of those texts that fit the embedder,
        among them the empty one; `max_length`, int; `truncate`, bool.
    """
    probes = [probe for probe in _PROBES if _fits(embedder, probe)]
    return {
        "vectors": dict(zip(probes, embedder(probes).tolist(), strict=True)),
        "max_length": int(embedder.max_length),
        "truncate": bool(embedder.truncate),
    }


def check_fingerprint(known: Mapping, found: Mapping) -> None:
    """Refuses an embedder that is another.

    Weights, tokenizer, pooling, where a text is cut: whatever changes the vectors is
    seen, and what does not, as the backend, or up to which length a text is accepted,
    is not.

    Args:
        known: of `embedder_fingerprint`.
        found: the same of the embedder that is there now.

    Raises:
        ValueError: its vectors are of another width, or others, or there is a text that
            the two cut at different places.
    """
    vectors, others = known["vectors"], found["vectors"]
    widths = len(vectors[""]), len(others[""])
    if widths[0] != widths[1]:
        raise ValueError(
            f"The index needs an embedder of vectors of {widths[0]} numbers. "
            f"Received: one of {widths[1]}"
        )
    if not _cut_alike(known, found):
        raise ValueError(
            "The index needs an embedder that cuts texts where that one did, at "
            f"{_limit(known)}. Received: one with {_limit(found)}"
        )
    differences = [
        float(np.abs(np.subtract(vectors[text], vector)).max())
        for text, vector in others.items()
        if text in vectors
    ]
    if not max(differences) <= _TOLERANCE:
        raise ValueError(
            "The index needs the embedder that it was made with. Received: one whose "
            f"vectors differ from that one's by {max(differences):.3g}"
        )


def _cut_alike(one, other):
    """Whether a text that both accept is read by both to the same token."""
    shorter, longer = sorted([one, other], key=lambda each: each["max_length"])
    same = shorter["max_length"] == longer["max_length"]
    # What the shorter limit does not cut it refuses.
    return same or not shorter["truncate"]


def _limit(fingerprint):
    return ", ".join(
        f"{name}={fingerprint[name]}" for name in ("max_length", "truncate")
    )


def _fits(embedder, text):
    if embedder.truncate:
        return True
    arrays = text_arrays(embedder.tokenizer, [text], 1 << 30)
    return arrays["token_ids"].shape[1] <= embedder.max_length
