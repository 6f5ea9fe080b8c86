"""What tests and docstring examples share: backend, repeatable randomness, names."""

import gc
import os
import pathlib
import random
import shutil
import sys
import tempfile

# Before anything imports Keras.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis
import pytest

import keras_lm
from tests import warm_python

# The same examples in every run: no test depends on luck.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

MOST_MAPS = 30_000
ENVIRONMENT = dict(os.environ)
# Scripts that tests start. Where examples are looked for they would be imported too.
collect_ignore_glob = ["tests/training/*_run.py"]


def pytest_configure(config):
    """Processes that import TensorFlow start warm, see `tests/warm_python.py`."""
    # To trace is to make many small objects that stay; to look through them as often as
    # Python does of itself takes a twelfth of the time on JAX.
    gc.set_threshold(200_000)
    if sys.platform != "linux":
        return
    folder, python = pathlib.Path(tempfile.mkdtemp()), sys.executable
    warm_python.install(folder)

    def undo():
        sys.executable = python
        shutil.rmtree(folder, ignore_errors=True)

    config.add_cleanup(undo)


def pytest_report_header():
    return f"backend: {os.environ['KERAS_BACKEND']}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Examples in docstrings: `make test` runs them on one backend."""
    for item in items:
        if isinstance(item, pytest.DoctestItem):
            item.add_marker(pytest.mark.slow_elsewhere)


def pytest_collection_finish():
    """The backend of all subprocesses is the environment's: no import may change it."""
    for name in ("KERAS_BACKEND", "XLA_FLAGS", "KERAS_LM_COLD"):
        if os.environ.get(name) != ENVIRONMENT.get(name):
            raise pytest.UsageError(
                f"A test module must leave {name} as it was. Received: "
                f"{os.environ.get(name)!r}, before: {ENVIRONMENT.get(name)!r}"
            )


@pytest.fixture(autouse=True)
def repeatable_weights():
    # Where no seed is given, Keras draws one from Python's generator. (Its own
    # `set_random_seed` would also import TensorFlow on every backend.)
    random.seed(0)


@pytest.fixture(autouse=True, scope="module")
def few_memory_maps():
    """On JAX: forgets what is compiled, before there is too much of it.

    Each executable holds memory maps, of which Linux gives a process 65,530; the whole
    of the tests would need more, and LLVM then ends in a segmentation fault.
    """
    yield
    maps = pathlib.Path("/proc/self/maps")
    if os.environ["KERAS_BACKEND"] != "jax" or not maps.exists():
        return
    if maps.read_bytes().count(b"\n") > MOST_MAPS:
        import jax  # noqa: TID251

        jax.clear_caches()
        gc.collect()


@pytest.fixture(autouse=True)
def names_in_examples(request, doctest_namespace):
    if hasattr(request.node, "dtest"):  # an example in a docstring
        import keras
        import numpy as np

        doctest_namespace.update(keras=keras, keras_lm=keras_lm, np=np, ops=keras.ops)
