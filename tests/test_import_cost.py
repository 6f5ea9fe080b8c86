"""`import keras_lm`: cheap, no backend that was not chosen, a clear refusal."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import keras_lm

ROOT = Path(__file__).parent.parent
REPEATS = 3
MAX_COST_S = 0.3
# Never loaded by an import of ours, the chosen backend excepted.
HEAVY = {
    "faiss",
    "jax",
    "keras_hub",
    "keras_nlp",
    "matplotlib",
    "sklearn",
    "tensorflow",
    "tensorflow_text",
    "torch",
}

# What importing `names` adds to a process that has already imported Keras. Processor
# time: it does not count what else the machine does.
MEASURE = """
import importlib, json, sys, time
import keras
before = set(sys.modules)
start = time.process_time()
for name in sys.argv[1:]:
    importlib.import_module(name)
seconds = time.process_time() - start
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""


def run_python(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def measure(*names):
    """Median seconds of processor time, and the modules that every run loaded.

    Of bytecode, which the first run writes: an installed package has it too.
    """
    answers = []
    for _ in range(REPEATS):
        process = run_python(MEASURE, *names, PYTHONDONTWRITEBYTECODE="")
        assert process.returncode == 0, process.stderr
        answers.append(json.loads(process.stdout.splitlines()[-1]))
    seconds, modules = zip(*answers, strict=True)
    return statistics.median(seconds), set(modules[0])


@pytest.mark.slow_elsewhere
def test_all_rooms_together_are_cheap_and_load_no_other_backend():
    rooms = [name for name in keras_lm.__all__ if (ROOT / "keras_lm" / name).exists()]

    cost_s, modules = measure("keras_lm", *(f"keras_lm.{room}" for room in rooms))

    assert cost_s < MAX_COST_S
    assert HEAVY & modules == set()


@pytest.mark.once
def test_the_package_alone_does_not_even_load_keras():
    code = "import sys, keras_lm; print([m for m in sys.modules if '.' not in m])"

    process = run_python(code)

    assert process.returncode == 0, process.stderr
    assert "'keras_lm'" in process.stdout
    assert not any(f"'{name}'" in process.stdout for name in HEAVY | {"keras", "numpy"})


@pytest.mark.once
@pytest.mark.parametrize("backend", ["openvino", "numpy", "Jax", "mxnet"])
def test_an_unknown_backend_is_refused(backend):
    process = run_python("import keras_lm", KERAS_BACKEND=backend)

    expected = (
        "ValueError: KERAS_BACKEND must be one of 'tensorflow', 'jax', 'torch'. "
        f"Received: '{backend}'"
    )
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == expected


@pytest.mark.once
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch", ""])
def test_the_three_backends_and_no_choice_are_accepted(backend):
    process = run_python("import keras_lm", KERAS_BACKEND=backend)

    assert process.returncode == 0, process.stderr


@pytest.mark.once
def test_rooms_are_attributes():
    assert keras_lm.layers.__name__ == "keras_lm.layers"
    assert set(keras_lm.__all__) <= set(dir(keras_lm))


@pytest.mark.once
def test_an_unknown_room_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'keras_lm' has no attribute 'kitchen'"):
        _ = keras_lm.kitchen


@pytest.mark.once
def test_version_is_the_installed_one():
    from importlib import metadata

    assert metadata.version("keras-lm") == keras_lm.__version__
