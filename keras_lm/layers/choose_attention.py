"""What the `attention=` of every Transformer model may be, and what it becomes."""

from keras_lm.layers.arguments import seed_of
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


def choose_attention(attention, num_layers, name="attention", **arguments):
    """One fresh attention layer for each block of a model.

    Args:
        attention: a short name (`ATTENTIONS`), an `Attention` layer that serves as a
            prototype (each block gets a fresh copy from its config, with a seed of its
            own), or a list of these that is repeated over the blocks, so that kinds
            alternate.
        num_layers: int. Number of blocks; a multiple of the length of a list.
        name: str. Of the layers, and of the argument in errors.
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
    arguments["name"] = name
    return [_fresh(kinds[i % len(kinds)], i, arguments) for i in range(num_layers)]


def _fresh(kind, block, arguments):
    name = arguments["name"]
    if isinstance(kind, Attention):
        return type(kind).from_config(_own(kind.get_config() | {"name": name}, block))
    if not isinstance(kind, str):
        raise TypeError(
            f"`{name}` must be a short name, one of {sorted(ATTENTIONS)}, an attention "
            "layer of keras_lm (an instance, not its class), or a list of these. "
            f"Received: {kind!r}"
        )
    if kind not in ATTENTIONS:
        raise ValueError(
            f"`{name}` must be one of {sorted(ATTENTIONS)}, a layer such as "
            "`keras_lm.layers.LocalAttention(4, 16, window=128)`, or a list of these. "
            f"Received: {name}={kind!r}"
        )
    return ATTENTIONS[kind](**_own(arguments, block))


def _own(arguments, block):
    """With a seed of the block's own; the name does not tell what was made before."""
    return {**arguments, "seed": seed_of(arguments.get("seed"), block)}
