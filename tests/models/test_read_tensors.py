"""read_tensors: kinds of numbers, shards, and files that are none."""

import json
import sys

import numpy as np
import pytest
import safetensors.torch
import torch  # noqa: TID251, it can write bfloat16

from keras_lm.models.read_tensors import read_tensors

pytestmark = pytest.mark.once
NUMBERS = np.array([[1.5, -2.0, 0.25], [3.0, 0.0, -0.125]], "float32")


def write(path, **tensors):
    safetensors.torch.save_file(tensors, str(path))


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "bfloat16"])
def test_every_kind_of_weight_becomes_float32(kind, tmp_path):
    tensor = torch.tensor(NUMBERS).to(getattr(torch, kind))
    write(tmp_path / "model.safetensors", a=tensor, ids=torch.arange(3))

    tensors = read_tensors(tmp_path)

    assert list(tensors) == ["a"]
    assert tensors["a"].dtype == "float32"
    np.testing.assert_array_equal(tensors["a"], NUMBERS)  # all are exact in bfloat16


def test_shards_are_put_together(tmp_path):
    write(tmp_path / "one.safetensors", a=torch.tensor(NUMBERS))
    write(tmp_path / "two.safetensors", b=torch.tensor(NUMBERS + 1))
    names = {"a": "one.safetensors", "b": "two.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": names}), "utf-8")

    tensors = read_tensors(tmp_path)

    np.testing.assert_array_equal(tensors["b"] - tensors["a"], np.ones((2, 3)))


@pytest.mark.parametrize(
    "content",
    [
        '{"weight_map": {"a": "../a.safetensors"}}',
        "{}",
        "[]",
        '{"weight_map": {}}',
        "{",
        b'{"weight_map": {"a": "\xff.safetensors"}}',
    ],
)
def test_an_index_that_names_no_file_beside_it_is_refused(content, tmp_path):
    if isinstance(content, str):
        content = content.encode()
    (tmp_path / "model.safetensors.index.json").write_bytes(content)

    with pytest.raises(ValueError, match="must name files beside it"):
        read_tensors(tmp_path)


def test_pickled_weights_are_not_read(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")

    with pytest.raises(FileNotFoundError, match="must hold model.safetensors .pickled"):
        read_tensors(tmp_path)
    with pytest.raises(FileNotFoundError, match="Received: no directory"):
        read_tensors(tmp_path / "absent")


@pytest.mark.parametrize("length", [0, 7, 40, -1])
def test_a_file_that_is_cut_off_is_refused(length, tmp_path):
    path = tmp_path / "model.safetensors"
    write(path, a=torch.tensor(NUMBERS))
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(ValueError, match="must be a whole .safetensors file"):
        read_tensors(tmp_path)


def test_without_safetensors_it_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path / "model.safetensors", a=torch.tensor(NUMBERS))
    monkeypatch.setitem(sys.modules, "safetensors", None)

    with pytest.raises(ImportError, match="need the extra `pretrained`"):
        read_tensors(tmp_path)
