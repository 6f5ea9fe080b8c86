"""What is raised when a model cannot be shipped."""


class ExportError(RuntimeError):
    """A target cannot run the model, or what was written does not agree with it.

    The text names the operation and the layer where that is known. Nothing was put in
    place.

    Example:
        >>> raise keras_lm.export.ExportError("LiteRT has no builtin for Erfinv")
        Traceback (most recent call last):
        ...
        keras_lm.export.export_error.ExportError: LiteRT has no builtin for Erfinv
    """
