"""What the `attention=` of every Transformer model may be, and what it becomes."""

from keras_lm.layers.attention import Attention
from keras_lm.layers.bayesian_attention import BayesianAttention
from keras_lm.layers.dynamic_attention import DynamicAttention
from keras_lm.layers.local_attention import LocalAttention
from keras_lm.layers.multi_head_attention import MultiHeadAttention
from keras_lm.layers.regional_attention import RegionalAttention

# The short names.
ATTENTIONS = {
    "multi_head": MultiHeadAttention,
    "local": LocalAttention,
    "dynamic": DynamicAttention,
    "regional": RegionalAttention,
    "bayesian": BayesianAttention,
}


def choose_attention(attention, num_layers, **arguments):
    """One fresh attention layer for each block of a model.

    Args:
        attention: a short name (`ATTENTIONS`), an `Attention` layer that serves as a
            prototype (each block gets a fresh copy from its config, with a seed of its
            own), or a list of these that is repeated over the blocks, so that kinds
            alternate.
        num_layers: int. Number of blocks; a multiple of the length of a list.
        **arguments: of the layers that short names stand for.

    Returns:
        list of `num_layers` `Attention` layers.

    Raises:
        ValueError: an unknown name, or a list whose length does not divide
            `num_layers`.
        TypeError: neither a name nor an `Attention`.
    """
    kinds = list(attention) if isinstance(attention, (list, tuple)) else [attention]
    if not kinds or num_layers % len(kinds):
        raise ValueError(
            "A list of attentions must have a length that divides `num_layers`. "
            f"Received: {len(kinds)} attentions, num_layers={num_layers}"
        )
    return [_fresh(kinds[i % len(kinds)], i, arguments) for i in range(num_layers)]


def _fresh(kind, block, arguments):
    if isinstance(kind, Attention):
        return type(kind).from_config(_own(kind.get_config(), block))
    if not isinstance(kind, str):
        raise TypeError(
            "`attention` must be a short name or an attention layer of keras_lm. "
            f"Received: {kind!r}"
        )
    if kind not in ATTENTIONS:
        raise ValueError(
            f"`attention` must be one of {sorted(ATTENTIONS)}, or a layer. "
            f"Received: attention={kind!r}"
        )
    return ATTENTIONS[kind](**_own(arguments, block))


def _own(arguments, block):
    """A block's own seed, and a name that does not depend on what was made before."""
    seed = arguments.get("seed")
    seed = None if seed is None else seed + block
    return {**arguments, "name": "attention", "seed": seed}
