"""A pipeline's model as one LiteRT file, with the signatures of its kind.

Imported by the worker process only, on the TensorFlow backend.
"""

import re
from pathlib import Path

import tensorflow as tf  # noqa: TID253

from keras_lm.backend import tensorflow as backend
from keras_lm.export.export_error import ExportError
from keras_lm.export.kinds import kind_of
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.name_layers import layers_with_op


def write_litert(pipeline, path: Path, quantization: str | None, work: Path) -> None:
    """Writes the model of a pipeline as a `.tflite` file.

    Args:
        pipeline: of any kind, its layers named by `name_layers`.
        path: of the file.
        quantization: `None`, "float16" or "dynamic_int8".
        work: folder for what lies between.

    Raises:
        ExportError: LiteRT has no builtin operation for one of the model's.
    """
    backend.NO_TENSOR_LISTS = True
    module = tf.Module()
    module.model_variables = [one.value for one in pipeline.model.variables]
    signatures = kind_of(pipeline).litert_signatures(pipeline)
    folder = str(work / "to_convert")
    tf.saved_model.save(module, folder, signatures=signatures)
    converter = tf.lite.TFLiteConverter.from_saved_model(
        folder, signature_keys=list(signatures)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    graph = next(iter(signatures.values())).graph
    try:
        content = converter.convert()
    except Exception as error:  # the converter raises an error of its own, and others
        raise refusal(error, graph) from error
    strange = strange_ops(content)
    if strange:
        raise _no_builtin(strange, graph)
    path.write_bytes(content)


def refusal(error: Exception, graph) -> ExportError:
    """The converter's pages of log as one sentence.

    Args:
        error: what the converter raised.
        graph: of the function that it was given.

    Returns:
        `ExportError`, to be raised.
    """
    text = str(error)
    listed = re.findall(r"(?:TF Select|Custom) ops: ([\w, ]+)", text)
    ops = {op for line in listed for op in re.split(r",\s*", line.strip()) if op}
    ops |= set(re.findall(r"'tf\.(\w+)' op", text))
    if ops:
        return _no_builtin(ops, graph)
    first = next((line for line in text.splitlines() if line.strip()), repr(error))
    return ExportError(
        f"LiteRT's converter must accept the model. Received: {first.strip()[:300]}"
    )


def _no_builtin(ops, graph):
    places = [
        f"{op} in {layers_with_op(graph, op.removeprefix('Flex'))}"
        for op in sorted(ops)
    ]
    return ExportError(
        "LiteRT must have a builtin operation for all that the model does. "
        f"Received: {'; '.join(places)}"
    )
