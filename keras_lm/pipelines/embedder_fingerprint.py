"""Whether an embedder gives the vectors that another one gave."""

from collections.abc import Mapping

import numpy as np

from keras_lm.pipelines.text_arrays import text_arrays

_PROBES = ("", "Returns the sum.", "中文", "🙂 1")
# Of a number of a vector of length 1: more than backends differ, less than training.
_TOLERANCE = 1e-3


def embedder_fingerprint(embedder) -> dict[str, list[float]]:
    """What an embedder says to a few texts, among them the empty one.

    Args:
        embedder: `TextEmbedder`.

    Returns:
        dict of vectors, by text: of those texts that fit the embedder.
    """
    probes = [probe for probe in _PROBES if _fits(embedder, probe)]
    return dict(zip(probes, embedder(probes).tolist(), strict=True))


def check_fingerprint(known: Mapping, found: Mapping) -> None:
    """Refuses an embedder that is another.

    Weights, tokenizer, pooling: whatever changes the vectors is seen, and what does
    not, as the backend, is not.

    Args:
        known: of `embedder_fingerprint`.
        found: the same of the embedder that is there now.

    Raises:
        ValueError: its vectors are of another width, or others.
    """
    widths = len(known[""]), len(found[""])
    if widths[0] != widths[1]:
        raise ValueError(
            f"The index needs an embedder of vectors of {widths[0]} numbers. "
            f"Received: one of {widths[1]}"
        )
    differences = [
        float(np.abs(np.subtract(known[text], vector)).max())
        for text, vector in found.items()
        if text in known
    ]
    if not max(differences) <= _TOLERANCE:
        raise ValueError(
            "The index needs the embedder that it was made with. Received: one whose "
            f"vectors differ from that one's by {max(differences):.3g}"
        )


def _fits(embedder, text):
    if embedder.truncate:
        return True
    arrays = text_arrays(embedder.tokenizer, [text], 1 << 30)
    return arrays["token_ids"].shape[1] <= embedder.max_length
