"""Exports models in a TensorFlow process and says how far their answers are.

    KERAS_BACKEND=tensorflow python -m tests.layer_exports FOLDER

For each `FOLDER/<name>.keras`, whose inputs and outputs are dictionaries of arrays with
unknown batch and length, `<name>-<n>.npz` hold inputs ("in/<input>") and what the model
answered ("out/<output>"). The last line printed is a dictionary: for each name
`saved_model` and `litert`, the largest differences, and `strange_ops`; or `error`.
"""

import gc
import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_lm.layers  # noqa: F401, the classes in the files
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.litert_writer import refusal
from tests.layer_files import largest_difference, read


def main():
    folder = Path(sys.argv[1])
    gc.freeze()  # the converter collects garbage each time, half a second of TensorFlow
    answers = {}
    for path in sorted(folder.glob("*.keras")):
        try:
            answers[path.stem] = exported(path)
        except Exception as error:  # the next one is told about all the same
            answers[path.stem] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answers))


def exported(path):
    """What both exports of one model answer, compared with the model."""
    model = keras.saving.load_model(path)
    cases = [read(file) for file in sorted(path.parent.glob(f"{path.stem}-*.npz"))]
    content = as_litert(model)
    return {
        "saved_model": largest_difference(as_saved_model(model, path), cases),
        "litert": largest_difference(litert_rows(content, path.stem), cases),
        "strange_ops": sorted(strange_ops(content)),
    }


def as_saved_model(model, path):
    """Writes a SavedModel of any batch and length; gives a function that runs it."""
    place = str(path.with_suffix(""))
    graph = graph_of(model, batch=None)
    tf.saved_model.save(module_of(model), place, signatures=graph)
    loaded = tf.saved_model.load(place)

    def run(inputs):
        outputs = loaded.signatures["serving_default"](**to_tensors(inputs))
        return {name: output.numpy() for name, output in outputs.items()}

    return run


def as_litert(model):
    """The bytes of a LiteRT file of any length, builtin operations only."""
    graph = graph_of(model, batch=1)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [graph], module_of(model)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return converter.convert()
    except Exception as error:
        raise refusal(error, graph.graph) from error


def litert_rows(content, name):
    """A function that runs the file, one row of the batch after the other.

    As any user would, but for two multimodal layers in one file: XNNPACK, the default,
    is wrong there now and then in the second run after a change of lengths
    (ai-edge-litert 2.3.0: 3 of 80 interpreters, by up to 0.15; each of the two layers
    in a file of its own: none of 60; without XNNPACK none of 40).
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN
    if name == "multimodal":
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=resolver
    )
    runner = interpreter.get_signature_runner()

    def run(inputs):
        batch = len(next(iter(inputs.values())))
        rows = [
            runner(**{name: array[row : row + 1] for name, array in inputs.items()})
            for row in range(batch)
        ]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    return run


def module_of(model):
    """What a graph needs of the model: its variables."""
    module = tf.Module()
    module.model_variables = [variable.value for variable in model.variables]
    return module


def graph_of(model, batch):
    """The model as a graph that takes its inputs by name, of any length."""
    specs = {
        name: tf.TensorSpec((batch, *one.shape[1:]), one.dtype, name=name)
        for name, one in model.input.items()
    }

    def call(**inputs):
        return model(inputs, training=False)

    return tf.function(call, autograph=False).get_concrete_function(**specs)


def to_tensors(inputs):
    return {name: tf.constant(array) for name, array in inputs.items()}


if __name__ == "__main__":
    main()
