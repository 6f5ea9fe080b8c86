"""Every attention layer exports: SavedModel of any batch and length, LiteRT builtins.

One TensorFlow process exports them all (`tests/layer_exports.py`) and compares what the
exports answer with what the layers answer here, on this backend; a process of each
other backend loads the same files (`tests/layer_files.py`).
"""

import json
import os
import random
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm import layers
from tests.checks import compiled

FOREIGN = [b for b in ("jax", "torch") if b != keras.backend.backend()]
QUICK_TO_COMPILE = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
)
LENGTHS = (1, 7, 12)  # below, between and at multiples of windows and regions
WIDTH = 6


def self_attention(both_ways, *causal):
    """A model of layers that attend within a padded sequence.

    The first is called with a causal mask and without one, the others only with one: to
    export a call takes seconds.
    """
    hidden = keras.Input((None, WIDTH), name="hidden")
    mask = keras.Input((None,), dtype="bool", name="mask")
    outputs = {"not_causal": both_ways(hidden, hidden, value_mask=mask)}
    for number, layer in enumerate([both_ways, *causal]):
        outputs[f"causal_{number}"] = layer(
            hidden, hidden, value_mask=mask, use_causal_mask=True
        )
    return keras.Model({"hidden": hidden, "mask": mask}, outputs)


def cross_attention(**attentions):
    """A model of layers that attend to a memory of another length and width."""
    hidden = keras.Input((None, WIDTH), name="hidden")
    memory = keras.Input((None, 5), name="memory")
    mask = keras.Input((None,), dtype="bool", name="memory_mask")
    outputs = {
        name: layer(hidden, memory, value_mask=mask)
        for name, layer in attentions.items()
    }
    return keras.Model(
        {"hidden": hidden, "memory": memory, "memory_mask": mask}, outputs
    )


def fused_streams(**attentions):
    """A model of layers that fuse a sequence, which may be absent, with a memory."""
    hidden = keras.Input((None, WIDTH), name="hidden")
    present = keras.Input((), dtype="bool", name="present")
    memory = keras.Input((None, 5), name="memory")
    mask = keras.Input((None,), dtype="bool", name="memory_mask")
    outputs = {}
    for name, layer in attentions.items():
        streams = {"hidden": hidden, "memory": memory}
        fused = layer(streams, masks={"memory": mask}, present={"hidden": present})
        outputs |= {f"{name}_{stream}": array for stream, array in fused.items()}
    inputs = [hidden, present, memory, mask]
    return keras.Model({one.name: one for one in inputs}, outputs)


def padded(**attentions):
    """A model of layers that take a sequence and its padding, and nothing else."""
    hidden = keras.Input((None, WIDTH), name="hidden")
    mask = keras.Input((None,), dtype="bool", name="mask")
    outputs = {
        name: layer(hidden, padding_mask=mask) for name, layer in attentions.items()
    }
    return keras.Model({"hidden": hidden, "mask": mask}, outputs)


def recurrent(forward, backward):
    """A model of two recurrent layers, the second from the state of the first on."""
    hidden = keras.Input((None, WIDTH), name="hidden")
    mask = keras.Input((None,), dtype="bool", name="mask")
    outputs, state = forward(hidden, padding_mask=mask)
    back, end = backward(hidden, padding_mask=mask, state=state)
    found = {"forward": outputs, "backward": back, "end": end["cell"]}
    return keras.Model({"hidden": hidden, "mask": mask}, found)


GROUPED = {"num_heads": 4, "key_dim": 2, "num_key_value_heads": 2}
GROUPED_ROTARY = {**GROUPED, "rotary_wavelength": 100.0}
# A new layer is one more line. The models' inputs and outputs are dictionaries; inputs
# whose names begin with `memory` are longer than the others, the bool ones are masks.
MODELS = {
    "multi_head": lambda: self_attention(
        layers.MultiHeadAttention(3, 4), layers.MultiHeadAttention(**GROUPED_ROTARY)
    ),
    "dynamic": lambda: self_attention(
        layers.DynamicAttention(3, 4, "ssmax", train_length=5),
        layers.DynamicAttention(3, 4, "log", train_length=5),
        layers.DynamicAttention(**GROUPED_ROTARY, length_scaling="log_clip"),
    ),
    "local": lambda: self_attention(
        layers.LocalAttention(**GROUPED_ROTARY, window=3, num_global_tokens=2),
        layers.LocalAttention(3, 4, window=3),
    ),
    "regional": lambda: self_attention(
        layers.RegionalAttention(3, 4, region_size=3),
        layers.RegionalAttention(**GROUPED_ROTARY, region_size=2, neighbors=2),
    ),
    "bayesian": lambda: self_attention(
        layers.BayesianAttention(3, 4),
        layers.BayesianAttention(**GROUPED_ROTARY, noise="pair", prior="standard"),
    ),
    "recurrent": lambda: cross_attention(
        bahdanau=layers.BahdanauAttention(units=4),
        general=layers.LuongAttention(),
        concat=layers.LuongAttention(units=4, score="concat", output_dim=3),
        monotonic=layers.LuongAttention(local="monotonic", window=2),
        predictive=layers.LuongAttention(local="predictive", window=2),
    ),
    "lstm": lambda: recurrent(layers.LSTM(5), layers.LSTM(5, reverse=True)),
    "padded": lambda: padded(
        pooling=layers.AttentionPooling(num_heads=2, units=4),
        dynamic=layers.DynamicConvolution(3, kernel_size=3),
        light=layers.DynamicConvolution(
            2, kernel_size=5, dynamic=False, padding="same", gated=False
        ),
    ),
    "cross": lambda: cross_attention(
        multi_head=layers.MultiHeadAttention(3, 4),
        dynamic=layers.DynamicAttention(**GROUPED),
    ),
    "multimodal": lambda: fused_streams(
        bottleneck=layers.MultimodalAttention(2, 4, ["hidden", "memory"]),
        cross=layers.MultimodalAttention(2, 4, ["hidden", "memory"], fusion="cross"),
    ),
}


def arrays_for(model, length, rng):
    """Three rows of inputs; the last row of each mask is all padding."""
    arrays = {}
    for name, one in model.input.items():
        steps = length + 4 if name.startswith("memory") else length
        shape = [steps if size is None else size for size in one.shape[1:]]
        if one.dtype == "bool":
            arrays[name] = rng.random((3, *shape)) < 0.7
            arrays[name][2] = False
        else:
            arrays[name] = rng.normal(size=(3, *shape)).astype("float32")
    return arrays


def write(name, folder):
    """The model's file, inputs of three lengths, and what it answers to each."""
    random.seed(0)  # Keras' own, of weights without a seed
    rng = np.random.default_rng(seed=0)
    model = MODELS[name]()
    for weight in model.weights:  # biases that are not 0
        weight.assign_add(0.1 * rng.normal(size=weight.shape))
    model.save(folder / f"{name}.keras")
    call = compiled(model)
    for number, length in enumerate(LENGTHS):
        inputs = arrays_for(model, length, rng)
        outputs = call({key: ops.convert_to_tensor(a) for key, a in inputs.items()})
        content = {f"in/{key}": array for key, array in inputs.items()}
        for key, output in outputs.items():
            content[f"out/{key}"] = ops.convert_to_numpy(output)
        np.savez(folder / f"{name}-{number}.npz", **content)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    for name in MODELS:
        write(name, folder)
    return folder


def answers_of(module, folder, backend):
    """What `python -m MODULE FOLDER` says on a backend."""
    done = subprocess.run(
        [sys.executable, "-m", module, str(folder)],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "CUDA_VISIBLE_DEVICES": "-1",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", QUICK_TO_COMPILE),
        },
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def exported(folder):
    return answers_of("tests.layer_exports", folder, "tensorflow")


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("name", MODELS)
def test_both_exports_answer_as_the_layer_does(exported, name):
    answer = exported[name]

    assert "error" not in answer, answer["error"]
    assert answer["strange_ops"] == []
    assert answer["saved_model"] < 1e-5
    assert answer["litert"] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("backend", FOREIGN)
def test_the_files_answer_alike_on_another_backend(folder, backend):
    # The process above has loaded them on TensorFlow.
    answers = answers_of("tests.layer_files", folder, backend)

    assert sorted(answers) == sorted(MODELS)
    for name, difference in answers.items():
        assert isinstance(difference, float), (name, difference)
        assert difference < 1e-5, name
