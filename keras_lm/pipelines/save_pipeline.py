"""Writes a pipeline to its directory, for `load`."""

import json

from keras_lm.files import complete_folder


def save_pipeline(pipeline, directory, settings: dict, overwrite: bool = False) -> None:
    """Writes model, tokenizer and settings to one directory, complete or not at all.

    Args:
        pipeline: its `model` and `tokenizer` (or `None`) are written.
        directory: str or path.
        settings: dict of plain Python: the other arguments of its class.
        overwrite: bool. Whether a directory that is there may be replaced.

    Raises:
        FileExistsError: it exists, and `overwrite` is false.
        OSError: it cannot be written.
    """
    description = {
        "pipeline": type(pipeline).__name__,
        "has_tokenizer": pipeline.tokenizer is not None,
        "settings": settings,
    }
    with complete_folder(directory, overwrite) as folder:
        _without_optimizer(pipeline.model).save(folder / "model.keras")
        if pipeline.tokenizer is not None:
            pipeline.tokenizer.save(folder / "tokenizer.model")
        text = json.dumps(description, indent=1)
        (folder / "pipeline.json").write_text(text, encoding="utf-8")


def _without_optimizer(model):
    """The model, or a copy where Adam's two numbers for every weight are beside it."""
    if getattr(model, "optimizer", None) is None:
        return model
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy
