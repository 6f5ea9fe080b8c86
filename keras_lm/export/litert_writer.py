"""A pipeline's model as one LiteRT file with two signatures, `prefill` and `decode`.

Imported by the worker process only, on the TensorFlow backend.
"""

import re
from pathlib import Path

import keras
import tensorflow as tf  # noqa: TID253

from keras_lm.export.export_error import ExportError
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.name_layers import layers_with_op


def write_litert(pipeline, path: Path, quantization: str | None, work: Path) -> None:
    """Writes the model of a pipeline as a `.tflite` file.

    Both signatures take `token_ids` and the state by name, and give `logits (1, V)` of
    the last position and the state after it. They share one set of weights.

    Args:
        pipeline: `TextGenerator`, its layers named by `name_layers`.
        path: of the file.
        quantization: `None`, "float16" or "dynamic_int8".
        work: folder for what lies between.

    Raises:
        ExportError: LiteRT has no builtin operation for one of the model's.
    """
    module = tf.Module()
    module.model_variables = [one.value for one in pipeline.model.variables]
    step = _step_function(pipeline.model)
    signatures = {
        "prefill": step.get_concrete_function(**_specs(pipeline.model, None)),
        "decode": step.get_concrete_function(**_specs(pipeline.model, 1)),
    }
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
    graph = signatures["prefill"].graph
    try:
        content = converter.convert()
    except Exception as error:  # the converter raises an error of its own, and others
        raise _refusal(error, graph) from error
    strange = strange_ops(content)
    if strange:
        raise _no_builtin(strange, graph)
    path.write_bytes(content)


def state_arrays(model) -> dict[str, tf.Tensor]:
    """The empty state of one row, by the names that the file gives its parts.

    Args:
        model: answers the decoding protocol.

    Returns:
        dict, such as `{"state_clock_index": .., "state_rows_0_key": ..}`.
    """
    state = model.initial_state(1, model.max_sequence_length)
    return {
        "_".join(["state", *map(str, path)]): tf.convert_to_tensor(array)
        for path, array in keras.tree.flatten_with_path(state)
    }


def _step_function(model):
    nested = model.initial_state(1, model.max_sequence_length)
    names = list(state_arrays(model))

    def step(token_ids, **state):
        state = keras.tree.pack_sequence_as(nested, [state[name] for name in names])
        logits, state = model.step(token_ids, state, last_only=True)
        return {
            "logits": logits[:, -1],
            **dict(zip(names, keras.tree.flatten(state), strict=True)),
        }

    return tf.function(step, autograph=False)


def _specs(model, num_positions):
    state = {
        name: tf.TensorSpec(array.shape, array.dtype, name=name)
        for name, array in state_arrays(model).items()
    }
    token_ids = tf.TensorSpec([1, num_positions], tf.int32, name="token_ids")
    return {"token_ids": token_ids, **state}


def _refusal(error, graph):
    """The converter's pages of log as one sentence."""
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
