"""retain_memory: the second array lies where the first one did."""

import ctypes
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from keras_lm.training import retain_memory

pytestmark = pytest.mark.once
is_glibc = platform.libc_ver()[0] == "glibc"


@pytest.mark.skipif(not is_glibc, reason="another C library")
@pytest.mark.parametrize("arguments", [[], ["retain"]], ids=["as it is", "retained"])
def test_memory_is_used_again(arguments):
    command = [sys.executable, "-m", "tests.training.retained_memory", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    pages = [int(line) for line in done.stdout.split()]
    assert len(pages) == 2  # in the main thread, and in another
    if arguments:
        assert max(pages) < 100
    else:
        assert min(pages) > 16_000


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())

    assert retain_memory() is False


def test_another_system_is_left_alone(monkeypatch):
    # Where `CDLL` takes no `None`.
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(name.upper()))
    monkeypatch.setattr(sys, "platform", "win32")

    assert retain_memory() is False
