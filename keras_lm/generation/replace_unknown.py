"""Unknown words of an answer, taken from the source where the model looked."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def replace_unknown(
    tokens: Sequence[Any], attention, source: Sequence[Any], unknown: Any
) -> list:
    """Puts the most attended source token for each unknown token of one hypothesis.

    Tokens are ids or words, as `unknown` is: names and numbers that the vocabulary
    lacks are often the same in source and answer.

    Shapes: `T` tokens of the answer, `S` source positions.

    Args:
        tokens: `T` ids or words: what follows the end may be among them.
        attention: float `(T, S')`, `S' >= S`, as in `Hypotheses.attention[row, n]`.
        source: `S` ids or words, at least one.
        unknown: the id or word that stands for what is not in the vocabulary.

    Returns:
        list of `T`: where `tokens` has `unknown`, what `source` has at the place of
        the largest attention, the first of equal ones.

    Raises:
        ValueError: the shapes do not fit, or there is no source.

    Example:
        >>> attention = [[0.9, 0.1], [0.2, 0.8]]
        >>> keras_lm.generation.replace_unknown(
        ...     ["hello", "<unk>"], attention, ["hallo", "Grete"], "<unk>")
        ['hello', 'Grete']

    Source: https://arxiv.org/abs/1410.8206, section 3.3.
    """
    attention = np.asarray(attention)
    if (
        not len(source)
        or attention.ndim != 2
        or len(attention) != len(tokens)
        or attention.shape[1] < len(source)
    ):
        raise ValueError(
            "`attention` must have a row for each token and a column for each of at "
            f"least one source token. Received: attention of shape {attention.shape}, "
            f"{len(tokens)} tokens and {len(source)} source tokens"
        )
    looked_at = attention[:, : len(source)].argmax(axis=1)
    return [
        source[place] if token == unknown else token
        for token, place in zip(tokens, looked_at, strict=True)
    ]
