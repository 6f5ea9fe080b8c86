"""The memory of a source: its keys and values, projected once for a whole decode.

`Attention.call` projects the source anew each time, which a decode of many steps cannot
afford. `remember` is called once, `recall` at each step.
"""

from keras_lm.layers.masks import Visibility


def remember(attention, source):
    """The keys and values of a source.

    Shapes: `B` batch, `S` source steps, `E` width, `K` key and value heads, `D` and
    `Dv` their widths.

    Args:
        attention: an `Attention` that can attend to another sequence.
        source: float `(B, S, E)`.

    Returns:
        `{"key": (B, K, S, D), "value": (B, K, S, Dv)}`.
    """
    key, value = attention.project_source(source, source)
    return {"key": key, "value": value}


def recall(attention, query, memory, padding_mask=None):
    """Attends from `n` queries to the whole source.

    Args:
        attention: the one that `remember` was called with.
        query: float `(B, n, E)`.
        memory: as `remember` gives it.
        padding_mask: bool `(B, S)` or `None`. `True` = a real step of the source.

    Returns:
        float `(B, n, E)`: what `attention` gives for this query and source.
    """
    seen = Visibility(key_mask=padding_mask)
    query = attention.project_query(query)
    return attention.merge(
        attention.attend(query, memory["key"], memory["value"], seen, False)
    )


def recall_with_weights(attention, query, memory, padding_mask=None):
    """The same, and where each query looked.

    Args:
        attention: the one that `remember` was called with.
        query: float `(B, n, E)`.
        memory: as `remember` gives it.
        padding_mask: bool `(B, S)` or `None`. `True` = a real step of the source.

    Returns:
        `(output, weights)`: float `(B, n, E)` and `(B, H, n, S)`.
    """
    seen = Visibility(key_mask=padding_mask)
    query = attention.project_query(query)
    context, weights = attention.weigh(
        query, memory["key"], memory["value"], seen, False
    )
    return attention.merge(context), weights
