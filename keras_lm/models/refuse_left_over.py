"""Refuses files that hold more of a model than its configuration says."""

import re

import numpy as np

from keras_lm.models.layout import Layout

# Of ours, what is on top of the body: it may stay behind.
_HEADS = {"pooling/dense", "logits_bias", "token_embedding/reverse_embeddings"}
# Arguments that change no weight of the body.
_FREE = {"dropout", "dtype", "name", "pooling", "seed", "trainable"}
# Of old files, which hold what is computed.
_COMPUTED = re.compile(r"\.attn\.(masked_)?bias|rotary_emb\.inv_freq")


def refuse_left_over(layout: Layout, tensors: dict, used: set, options: dict) -> None:
    """Refuses to leave a part of the family's body behind without a word.

    That is a whole block where `config.json` says fewer, a bias that it does not speak
    of, or an adapter. Heads are left out, and so is what has the numbers of a tensor
    that was used, as one of two tables that are the same.

    Args:
        layout: of the family.
        tensors: arrays by name.
        used: names of those that were given to a weight.
        options: arguments of the constructor in place of those in `config.json`: where
            they change the body, what is left over is what was asked for.

    Raises:
        ValueError: there are such tensors.
    """
    if not options.keys() <= _FREE:
        return
    body = _body(layout)
    left = sorted(
        name
        for name in tensors.keys() - used
        if body.fullmatch(name)
        and not _COMPUTED.search(name)
        and not any(np.array_equal(tensors[name], tensors[one]) for one in used)
    )
    if left:
        raise ValueError(
            "All weights of the body must have a place in the model that config.json "
            "describes (or in one that you describe by arguments, as `num_layers`). "
            f"Received: {len(left)} without, {left[:3]}"
        )


def _body(layout):
    """What the names of the body are: all in its blocks, and single layers."""
    names = []
    for ours, theirs in layout.layers.items():
        if ours in _HEADS:
            continue
        for one in _all(theirs):
            stem, block, _ = one.partition("{i}")
            names.append(re.escape(stem) + (r"\d+\..*" if block else r"\.\w+"))
    prefixes = "|".join(map(re.escape, layout.prefixes))
    return re.compile(f"(?:{prefixes})(?:{'|'.join(sorted({*names}))})")


def _all(theirs):
    """Their names of one of our layers."""
    if isinstance(theirs, tuple):  # a name, and which third of it
        return [theirs[0]]
    return [theirs] if isinstance(theirs, str) else theirs
