"""check_workers: what torchrun, the backend and --distribute can do together."""

import keras
import pytest

from keras_lm.cli.check_workers import check_alone, check_workers

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("KERAS_BACKEND", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("backend", "workers", "kind", "told"),
    [
        ("torch", 1, "model", "`--distribute model` takes JAX"),
        ("tensorflow", 2, "model", "`--distribute model` takes JAX"),
        ("torch", 0, "data", "torchrun --standalone"),
        ("torch", 2, "none", "must be told --distribute data"),
        ("jax", 2, "none", "must be told --distribute data"),
        ("jax", 2, "data", "must have KERAS_BACKEND=torch.*2 workers.*BACKEND=jax"),
        ("jax", 2, "model", "must have KERAS_BACKEND=torch"),
        ("tensorflow", 2, "data", "must have KERAS_BACKEND=torch"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_way_that_the_backend_has_not_is_refused(
    backend, workers, kind, told, named, monkeypatch
):
    if named:
        monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    if workers:
        monkeypatch.setenv("RANK", "0")
        monkeypatch.setenv("WORLD_SIZE", str(workers))
    with pytest.raises(ValueError, match=told):
        check_workers(kind)


@pytest.mark.parametrize(
    ("backend", "workers", "kind"),
    [
        ("torch", 0, "none"),
        ("torch", 1, "none"),
        ("torch", 1, "data"),
        ("torch", 2, "data"),
        ("jax", 0, "data"),
        ("jax", 0, "model"),
        ("tensorflow", 0, "data"),
    ],
)
def test_a_way_that_it_has_is_taken(backend, workers, kind, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    if workers:
        monkeypatch.setenv("RANK", "0")
        monkeypatch.setenv("WORLD_SIZE", str(workers))
    check_workers(kind)


def test_one_process_is_alone_and_two_are_not(monkeypatch):
    check_alone()
    monkeypatch.setenv("WORLD_SIZE", "1")
    check_alone()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="one process.*Received: WORLD_SIZE=2"):
        check_alone()
