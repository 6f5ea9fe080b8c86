"""Which weights of a Transformer are split over devices, and along which axis."""

import keras

# Paths of weights, and which of their axes is split. Matched against the whole path.
_HEADS = ".*/(query|key|value)"  # of self-attention and of attention to a source
_SPLIT_AXES = {
    f"{_HEADS}/kernel": 1,
    f"{_HEADS}/bias": 0,
    ".*/feed_forward/(inner|gate)/kernel": 1,
    ".*/feed_forward/(inner|gate)/bias": 0,
    ".*attention/output/kernel": 0,
    ".*/feed_forward/output/kernel": 0,
    ".*/(token|source)_embedding/embeddings": 0,
    ".*/(token|source)_embedding/reverse_embeddings": 1,
}


def layout_map(device_mesh, axis_name="model"):
    """Where each weight of a Transformer model lies, for `keras.distribution`.

    The split of Megatron-LM: of two products in a row, the first matrix is split by
    columns and the second by rows, so that devices meet once per sub-layer, where the
    rows' products are added up.

        split by columns  queries, keys and values; the first projection, and the gate,
                          of a feed-forward network
        split by rows     the output projections of both
        by the token      the token embeddings, and the logits with them
        whole everywhere  all else: norms, positions, the biases of what is split by
                          rows, the states of random generators

    It fits `models.TransformerDecoder`, `TransformerEncoder`,
    `TransformerEncoderDecoder` and what has one of them inside. Of an LSTM it splits
    the token embeddings and nothing else: its four gates lie side by side in one
    matrix, whose columns no device can use alone. A weight whose axis the number of
    devices does not divide cannot be split: `ModelParallel` of this room leaves it
    whole, that of Keras fails.

    Args:
        device_mesh: `keras.distribution.DeviceMesh`.
        axis_name: str. The axis of the mesh over whose devices weights are split.

    Returns:
        `keras.distribution.LayoutMap`.

    Raises:
        ValueError: the mesh has no such axis.

    Example:
        >>> mesh = keras.distribution.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])
        >>> layouts = layout_map(mesh)
        >>> layouts["transformer_decoder/block_0/attention/query/kernel"].axes
        (None, 'model')
        >>> layouts["transformer_decoder/block_0/attention/output/kernel"].axes
        ('model', None)

    Source: https://arxiv.org/abs/1909.08053, section 3.
    """
    if axis_name not in device_mesh.axis_names:
        raise ValueError(
            "`axis_name` must be an axis of the mesh. Received: "
            f"axis_name={axis_name!r}, and a mesh of {list(device_mesh.axis_names)}"
        )
    layouts = keras.distribution.LayoutMap(device_mesh)
    for path, axis in _SPLIT_AXES.items():
        axes: list[str | None] = [None] if path.endswith("bias") else [None, None]
        axes[axis] = axis_name
        layouts[path] = tuple(axes)
    return layouts
