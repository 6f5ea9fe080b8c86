"""What goes from the process that trained to the process that exports."""

import copy
import sys
from pathlib import Path

from keras_lm.export.kinds import kind_of
from keras_lm.training.adapters import merged_weights


def hand_over(pipeline, work: Path) -> tuple[dict, dict]:
    """Saves the pipeline, in float32, and asks it what it answers.

    Args:
        pipeline: of any kind.
        work: folder to write into.

    Returns:
        `(job, expected)`: what `worker` needs of the pipeline, and its kind's
        `reference`.

    Raises:
        OSError: it cannot be written.
        ValueError: the model cannot be exported.
    """
    twin = in_float32(pipeline)
    twin.save(work / "pipeline")
    job = {
        "pipeline": str(work / "pipeline"),
        "modules": defining_modules(twin.model),
        "work": str(work),
    }
    return job, kind_of(twin).reference(twin, work)


def check_pipeline(pipeline) -> None:
    """Refuses what cannot be exported.

    Args:
        pipeline: anything.

    Raises:
        TypeError: it is no pipeline.
        ValueError: its model is quantised, or uses layers defined in a script.
    """
    kind_of(pipeline)
    for layer in _layers(pipeline.model):
        if layer.dtype_policy.quantization_mode is not None:
            raise ValueError(
                "The pipeline's model must not be quantised already; `quantization=` "
                f"of `export_litert` does it. Received: {layer.name} with policy "
                f"{layer.dtype_policy.name!r}"
            )
    defining_modules(pipeline.model)


def defining_modules(model) -> list[str]:
    """The modules that define layers of a model and are not Keras' or ours.

    Args:
        model: a `keras.Model`.

    Returns:
        sorted list of str: names that another process can import.

    Raises:
        ValueError: a layer is defined in a script or notebook.
    """
    modules = set()
    for layer in [model, *_layers(model)]:
        name = type(layer).__module__
        if name == "__main__" or name not in sys.modules:
            raise ValueError(
                "Layers of your own must be defined in a module that another process "
                f"can import. Received: {type(layer).__name__} of {name}"
            )
        if name.split(".")[0] not in ("keras", "keras_lm"):
            modules.add(name)
    return sorted(modules)


def in_float32(pipeline):
    """The same pipeline, its model computing in float32.

    Neither LiteRT's builtins nor processors know the half-precision types well.

    Args:
        pipeline: of any kind.

    Returns:
        the pipeline itself, if it computes in float32; else a new one.
    """
    model = pipeline.model
    if all(layer.compute_dtype == "float32" for layer in [model, *_layers(model)]):
        return pipeline
    twin = type(model).from_config(_with_dtype(model.get_config(), "float32"))
    twin.set_weights([weight.astype("float32") for weight in merged_weights(model)])
    pipeline = copy.copy(pipeline)
    pipeline.model = twin
    return pipeline


def _with_dtype(config, dtype):
    if isinstance(config, dict):
        return {
            key: dtype if key == "dtype" else _with_dtype(value, dtype)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_with_dtype(one, dtype) for one in config)
    return config


def _layers(model):
    return model._flatten_layers(include_self=False)
