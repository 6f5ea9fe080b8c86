"""What layers that take a dictionary of named streams ask of it, and do with it."""

from keras import ops


def check_names(modalities, causal_modalities=()):
    """Refuses names of which no layer can be made.

    Args:
        modalities: list of names.
        causal_modalities: list of names.

    Raises:
        ValueError: names that are empty, no strings or not all different; causal ones
            that are not among them, or all that there are.
    """
    strings = all(isinstance(name, str) and name for name in modalities)
    if not modalities or not strings or len(set(modalities)) < len(modalities):
        raise ValueError(
            "`modalities` must be names, at least one, all different. "
            f"Received: modalities={modalities}"
        )
    if set(causal_modalities) - set(modalities):
        raise ValueError(
            "`causal_modalities` must be among `modalities`. Received: "
            f"causal_modalities={causal_modalities}, modalities={modalities}"
        )
    if not set(modalities) - set(causal_modalities):
        raise ValueError(
            "At least one modality must not be causal, or nobody is read. "
            f"Received: causal_modalities={causal_modalities}"
        )


def check_streams(streams, masks, present, modalities):
    """Refuses streams that a layer of these modalities cannot take.

    Args:
        streams: dict of arrays.
        masks: dict of arrays.
        present: dict of arrays.
        modalities: list of names.

    Raises:
        ValueError: an unknown name, no stream at all, or one that is not of rank 3.
    """
    named = {"streams": streams, "masks": masks, "present": present}
    for argument, given in named.items():
        unknown = sorted(set(given) - set(modalities))
        if unknown:
            raise ValueError(
                f"`{argument}` must be named as in modalities={modalities}. "
                f"Received: {argument} with {unknown}"
            )
    if not streams:
        raise ValueError("`streams` must hold at least one stream. Received: none")
    for name, stream in streams.items():
        if len(stream.shape) != 3:
            raise ValueError(
                "Each stream must have shape (batch, steps, width). "
                f"Received: {name!r} of shape {tuple(stream.shape)}"
            )


def real_steps(stream, mask=None):
    """The mask, that which Keras handed on with the stream, or all of its steps.

    Args:
        stream: float `(B, T, E)`.
        mask: bool `(B, T)` or `None`.

    Returns:
        bool `(B, T)`.
    """
    if mask is None:
        mask = getattr(stream, "_keras_mask", None)
    if mask is None:
        return ops.ones(ops.shape(stream)[:2], "bool")
    return ops.cast(mask, "bool")


def keep_present(stream, visible):
    """The stream, 0 in the examples that have no visible step of it.

    Args:
        stream: float `(B, T, E)`.
        visible: bool `(B, T)`.

    Returns:
        float `(B, T, E)`.
    """
    here = ops.reshape(ops.any(visible, axis=1), (-1, 1, 1))
    return ops.where(here, stream, ops.cast(0, stream.dtype))
