"""What an operation of the contest's decoder is for, told by its names and shapes."""

import re
from typing import NamedTuple

from benchmarks.speed import training

VIEWS = """view _unsafe_view reshape t transpose permute expand as_strided slice select
split unsqueeze squeeze detach alias empty empty_like empty_strided unbind narrow
new_empty _reshape_alias result_type resolve_conj item _local_scalar_dense is_nonzero
lift_fresh numpy_T unflatten flatten movedim chunk resize_ to matmul linear""".split()
# Sought in this order in the names of a product and of all that it is part of.
PRODUCTS = {
    "products: logits": r"embedding",
    "products: feed-forward": r"feed_forward",
    "products: projections": r"(^|/)(query|key|value|output)(_\d+)?/",
    "products: attention": r"attention|batchmatmul",
}
# The same for anything else.
PATTERNS = {
    "optimizer": r"adam_?w|_foreach_",
    "loss": r"cross_entropy|compile_loss|log_?softmax|nll_loss|logsumexp",
    "dropout, random numbers": r"dropout|random|bernoulli|rng|gumbel",
    "normalisation": r"_norm\b|_norm_\d|layer_norm",
    "copies, transposes, writes of keys and values": (
        r"aten::(_to_copy|copy_|clone|contiguous|cat|stack|index_copy_?)$"
        r"|[/:]transpose$|[/:]concat\w*$|dynamic_?update_?slice"
    ),
    "views, new arrays": f"aten::({'|'.join(VIEWS)})$",
    "biases, residuals": (
        r"(query|key|value|output|inner)(_\d+)?/|block_\d+(_\d+)?\)*/add"
        r"|aten::(add|add_|sum)$|:addn$"
    ),
    "GELU": r"gelu|feed_forward",
    "embedding": r"embedding|_take|segmentsum|gather",
    "softmax, mask": r"softmax|attention|masked_fill",
}
GROUPS = (*PRODUCTS, *PATTERNS, "other")


class Operation(NamedTuple):
    """What a profile says of one run of an operation.

    Args:
        label: its name in a list of the slowest.
        path: its name behind those of what it is part of.
        is_product: whether it multiplies matrices.
        seconds: its own, without those that it calls.
        shapes: of the arrays that a product is given, where it names no layer.
    """

    label: str
    path: str
    is_product: bool
    seconds: float
    shapes: tuple = ()


def group_of(operation):
    """One of `GROUPS`: the first whose pattern is found.

    A product that names no layer is told by its shapes: only the logits have an axis of
    the vocabulary's size, only the feed-forward network one of its inner width.
    """
    patterns = PRODUCTS if operation.is_product else PATTERNS
    for group, pattern in patterns.items():
        if re.search(pattern, operation.path.lower()):
            return group
    if not operation.is_product:
        return "other"
    sizes = {size for shape in operation.shapes for size in shape}
    if training.VOCABULARY in sizes:
        return "products: logits"
    inner = 4 * training.WIDTH in sizes
    return f"products: {'feed-forward' if inner else 'projections'}"
