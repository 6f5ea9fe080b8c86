"""load_pretrained: names, heads, arguments of one's own, and files that do not fit."""

import json

import numpy as np
import pytest
import safetensors.numpy

from keras_lm.models import TransformerDecoder, TransformerEncoder
from tests.checks import assert_close
from tests.pretrained import write

pytestmark = pytest.mark.once
TOKEN_IDS = np.array([[3, 1, 2, 7]])


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("bert")
    write("bert", path)
    return path


@pytest.fixture
def copy(directory, tmp_path):
    """A copy of `config.json`, and a function that writes its changed tensors."""
    (tmp_path / "config.json").write_bytes((directory / "config.json").read_bytes())

    def write_tensors(change):
        tensors = safetensors.numpy.load_file(directory / "model.safetensors")
        safetensors.numpy.save_file(change(tensors), tmp_path / "model.safetensors")
        return tmp_path

    return write_tensors


def test_weights_of_a_model_with_a_head_and_old_names(directory, copy):
    def change(tensors):
        renamed = {}
        for name, array in tensors.items():
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
            name = name.replace("LayerNorm.bias", "LayerNorm.beta")
            renamed[f"bert.{name}"] = array
        return renamed | {"classifier.weight": np.ones((2, 18), "float32")}

    expected = TransformerEncoder.from_pretrained(directory)(TOKEN_IDS)

    found = TransformerEncoder.from_pretrained(copy(change))(TOKEN_IDS)

    assert_close(found, expected, tolerance=0)


def test_arguments_of_ones_own_come_first(directory):
    model = TransformerEncoder.from_pretrained(
        directory, dropout=0.3, pooling="mean", attention="dynamic", name="mine"
    )

    assert (model.dropout, model.pooling, model.name) == (0.3, "mean", "mine")
    assert type(model.blocks[0].attention).__name__ == "DynamicAttention"


def test_a_missing_weight_is_named(copy):
    name = "encoder.layer.1.output.dense.weight"

    def change(tensors):
        return {key: array for key, array in tensors.items() if key != name}

    message = f"The weights must have {name}, for .*block_1/feed_forward/output/kernel"
    with pytest.raises(ValueError, match=message):
        TransformerEncoder.from_pretrained(copy(change))


def test_a_weight_of_another_shape_is_named(copy):
    name = "embeddings.word_embeddings.weight"

    def change(tensors):
        return tensors | {name: tensors[name][:40]}

    with pytest.raises(ValueError, match=rf"{name} must have the shape \(47, 18\)"):
        TransformerEncoder.from_pretrained(copy(change))


def test_a_number_in_place_of_a_matrix_is_named(tmp_path):
    write("gpt2", tmp_path)
    tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    places = next(name for name in tensors if name.endswith("wpe.weight"))
    third = next(name for name in tensors if name.endswith("h.1.attn.c_attn.bias"))

    for name in (places, third):
        changed = tensors | {name: np.array(1.0, "float32")}
        safetensors.numpy.save_file(changed, tmp_path / "model.safetensors")
        message = rf"{name} must have the shape \(.*Received: \(\)"
        with pytest.raises(ValueError, match=message):
            TransformerDecoder.from_pretrained(tmp_path)


def test_a_setting_that_is_left_out_is_named(copy, tmp_path):
    path = copy(lambda tensors: tensors)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    del config["vocab_size"]
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")

    with pytest.raises(ValueError, match="of a bert must say 'vocab_size'"):
        TransformerEncoder.from_pretrained(path)


@pytest.mark.parametrize(
    ("kind", "model_class", "change"),
    [
        ("roberta", TransformerEncoder, {"pad_token_id": None}),
        ("llama", TransformerDecoder, {"head_dim": "x"}),
        ("llama", TransformerDecoder, {"rope_parameters": [1]}),
    ],
)
def test_a_setting_of_another_type_is_named(kind, model_class, change, tmp_path):
    write(kind, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}), "utf-8")

    with pytest.raises(ValueError, match=f"A setting in .*config.json.* a {kind} does"):
        model_class.from_pretrained(tmp_path)


def test_a_pooling_that_the_family_has_not_starts_afresh(tmp_path):
    write("distilbert", tmp_path)

    mean = TransformerEncoder.from_pretrained(tmp_path)
    first = TransformerEncoder.from_pretrained(tmp_path, pooling="first")

    assert mean.pooling == "mean"
    assert_close(first(TOKEN_IDS), mean(TOKEN_IDS), tolerance=0)
    assert tuple(first.pool(first(TOKEN_IDS)).shape) == (1, 18)


def test_files_of_another_kind_are_refused(directory, tmp_path):
    with pytest.raises(ValueError, match="must be one of .'gpt2', .* for a Tr"):
        TransformerDecoder.from_pretrained(directory)
    for content in (b"", b"[]", b"{", b'{"model_type": "\xff"}'):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(ValueError, match="must hold a JSON object"):
            TransformerEncoder.from_pretrained(tmp_path)
    for kind in ("x", ["bert"]):
        config = json.dumps({"model_type": kind})
        (tmp_path / "config.json").write_text(config, "utf-8")
        with pytest.raises(ValueError, match="`model_type` in .* must be one of"):
            TransformerEncoder.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"a directory .* \(nothing is downlo"):
        TransformerEncoder.from_pretrained("bert-base-uncased")
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "pipeline.json").write_text("{}", "utf-8")
    with pytest.raises(FileNotFoundError, match="`pipelines.load` reads what a pipel"):
        TransformerEncoder.from_pretrained(tmp_path / "pipeline")
