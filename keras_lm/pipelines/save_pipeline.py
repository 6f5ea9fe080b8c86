"""Writes a pipeline to its directory, for `load`."""

import json

import keras
import numpy as np

from keras_lm.files import complete_folder
from keras_lm.training.adapters import adapted_layers, merged_weights


def save_pipeline(pipeline, directory, settings: dict, overwrite: bool = False) -> None:
    """Writes model, tokenizers and settings to one directory, complete or not at all.

    Args:
        pipeline: its `model` is written, and the tokenizers that its class names in
            `TOKENIZERS` (by default `tokenizer`), which may be `None`.
        directory: str or path.
        settings: dict of plain Python, NumPy's numbers too: the other arguments of its
            class.
        overwrite: bool. Whether a directory that is there may be replaced.

    Raises:
        FileExistsError: it exists, and `overwrite` is false.
        OSError: it cannot be written.
    """
    names = tokenizer_names(type(pipeline))
    tokenizers = {name: getattr(pipeline, name) for name in names}
    description = {
        "pipeline": type(pipeline).__name__,
        "has_tokenizer": None not in tokenizers.values(),
        "settings": settings,
    }
    with complete_folder(directory, overwrite) as folder:
        _without_optimizer(pipeline.model).save(folder / "model.keras")
        for name, tokenizer in tokenizers.items():
            if tokenizer is not None:
                tokenizer.save(folder / f"{name}{tokenizer.FILE_SUFFIX}")
        text = json.dumps(description, indent=1, default=np.generic.item)
        (folder / "pipeline.json").write_text(text, encoding="utf-8")


def tokenizer_names(pipeline_class) -> tuple[str, ...]:
    """The arguments of a pipeline's class that are tokenizers, in files of their names.

    Args:
        pipeline_class: a class of `keras_lm.pipelines`.

    Returns:
        tuple of str.
    """
    return getattr(pipeline_class, "TOKENIZERS", ("tokenizer",))


def _without_optimizer(model):
    """The model, or a copy where Adam's two numbers for every weight are beside it.

    Adapters are merged in the copy: a pipeline that is loaded has none.
    """
    if getattr(model, "optimizer", None) is None and not adapted_layers(model):
        return model
    config = keras.saving.serialize_keras_object(model)
    config.pop("compile_config", None)
    copy = keras.saving.deserialize_keras_object(config)
    copy.set_weights(merged_weights(model))
    return copy
