"""What an operation of the contest's decoder is for, told by its names and shapes."""

import re
from typing import NamedTuple

from benchmarks.speed import training

VIEWS = """view _unsafe_view reshape t transpose permute expand as_strided slice select
split unsqueeze squeeze detach alias empty empty_like empty_strided unbind narrow
new_empty _reshape_alias result_type resolve_conj item _local_scalar_dense is_nonzero
lift_fresh numpy_T unflatten flatten movedim chunk resize_""".split()
# Sought in this order in the names of an operation and of all that it is part of.
PATTERNS = {
    "optimizer": r"adam_?w|_foreach_|optimizer",
    "loss": r"cross_entropy|compile_loss|log_?softmax|nll_loss|logsumexp",
    "dropout, random numbers": r"dropout|random|bernoulli|rng|gumbel",
    "normalisation": r"_norm\b|_norm_\d|layer_norm",
    "copies, transposes, writes of keys and values": (
        r"aten::(copy_|clone|contiguous|cat|stack|index_copy_?)$|dynamic_update_slice"
        r"|/transpose$|write_slots|/concatenate$"
    ),
    "views, new arrays": f"aten::({'|'.join(VIEWS)})$",
    "biases, residuals": (
        r"(query|key|value|output|inner)(_\d+)?/|block_\d+(_\d+)?\)*/add"
        r"|aten::(add|add_|sum)$"
    ),
    "GELU": r"gelu|feed_forward",
    "embedding": r"embedding|_take",
    "softmax, mask": r"softmax|attention|where|masked_fill",
}
PRODUCTS = tuple(
    f"products: {kind}"
    for kind in ("projections", "feed-forward", "attention", "logits")
)
GROUPS = (*PRODUCTS, *PATTERNS, "other")


class Operation(NamedTuple):
    """What a profile says of one run of an operation.

    Args:
        label: its name in a list of the slowest.
        path: its name behind those of what it is part of.
        shapes: of the arrays that a matrix product multiplies; `()` for anything else.
        seconds: its own, without those that it calls.
    """

    label: str
    path: str
    shapes: tuple
    seconds: float


def group_of(operation):
    """One of `GROUPS`.

    A product is told by its shapes: only the logits have an axis of the vocabulary's
    size, only the feed-forward network one of its inner width, and only attention
    multiplies batches of matrices. Else the first pattern counts that is found.
    """
    if operation.shapes:
        sizes = {size for shape in operation.shapes for size in shape}
        if training.VOCABULARY in sizes:
            return "products: logits"
        if 4 * training.WIDTH in sizes:
            return "products: feed-forward"
        batches = min(len(shape) for shape in operation.shapes) > 2
        return f"products: {'attention' if batches else 'projections'}"
    for group, pattern in PATTERNS.items():
        if re.search(pattern, operation.path):
            return group
    return "other"
