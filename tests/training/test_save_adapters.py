"""save_adapters: what lies in the file, and that it is whole or absent."""

import numpy as np
import pytest

from keras_lm.training import enable_lora, save_adapters, unfreeze
from tests.checks import assert_close
from tests.training.small_classifier import make_classifier

pytestmark = pytest.mark.once
QUERY = "transformer_encoder/block_1/attention/query/kernel"


def adapted():
    model = make_classifier()
    enable_lora(model, rank=2, alpha=3.0, targets="block_1/attention/query")
    return model


def test_the_file_holds_what_is_trained_and_nothing_else(tmp_path):
    model = adapted()
    unfreeze(model, "head/bias")
    save_adapters(model, tmp_path / "a.npz")

    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        arrays = dict(file)
    assert {name: array.shape for name, array in arrays.items()} == {
        f"lora_a/{QUERY}": (6, 2),
        f"lora_b/{QUERY}": (2, 6),
        f"lora_alpha/{QUERY}": (),
        "trained/sequence_classifier/head/bias": (3,),
    }
    assert arrays[f"lora_alpha/{QUERY}"] == 3.0
    attention = model.encoder.blocks[1].attention
    assert_close(attention.query_projection.lora_kernel_a, arrays[f"lora_a/{QUERY}"])
    assert_close(model.head.bias, arrays["trained/sequence_classifier/head/bias"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_in_bfloat16_too(tmp_path):
    model = make_classifier(dtype="bfloat16")
    enable_lora(model)
    unfreeze(model, "block_0/attention_norm/gamma")
    save_adapters(model, tmp_path / "new" / "中文")

    with np.load(tmp_path / "new" / "中文") as file:
        assert {array.dtype.name for array in file.values()} == {"float32"}


def test_what_is_there_is_not_replaced_unless_told(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True be given. Received"):
        save_adapters(adapted(), path)
    assert path.read_text() == "mine"
    save_adapters(adapted(), path, overwrite=True)
    assert path.read_bytes()[:2] == b"PK"
    with pytest.raises(FileExistsError):
        save_adapters(adapted(), tmp_path, overwrite=True)


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def fail(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="can be written. Received: No space left"):
        save_adapters(adapted(), tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_adapters_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must have adapters, see `enable_lora`"):
        save_adapters(make_classifier(), tmp_path / "a.npz")
