"""load_adapters: on a plain model or an adapted one; all of it or nothing."""

import keras
import numpy as np
import pytest

from keras_lm.models.quick_deletion import quick_deletion
from keras_lm.training import enable_lora, load_adapters, save_adapters, unfreeze
from keras_lm.training.adapters import adapted_layers
from keras_lm.training.trained_weights import count_trained
from tests.checks import assert_close, compiled, outputs_of
from tests.training.small_classifier import (
    INPUTS,
    make_classifier,
    moved,
    values,
)

PLACE = "transformer_encoder/block_1/attention/query/kernel"
HEAD = "trained/sequence_classifier/head/bias"


def arrays_of():
    """What `save_adapters` writes on any backend: names and arrays."""
    rng = np.random.default_rng(seed=2)
    return {
        f"lora_a/{PLACE}": rng.normal(size=(6, 2)).astype("float32"),
        f"lora_b/{PLACE}": rng.normal(size=(2, 6)).astype("float32"),
        f"lora_alpha/{PLACE}": np.float32(3.0),
        HEAD: np.array([1.0, 2.0, 3.0], "float32"),
    }


def write(path, arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


def logits_of(model):
    return outputs_of(compiled(model)(INPUTS))[0]


def test_a_file_is_what_it_says_on_every_backend(tmp_path):
    arrays = arrays_of()
    model, twin = make_classifier(), make_classifier()

    told = load_adapters(model, write(tmp_path / "a", arrays))

    # The same by hand: W + 3 / 2 A B, and the bias.
    kernel = twin.encoder.blocks[1].attention.query_projection.kernel
    kernel.assign(kernel + 1.5 * arrays[f"lora_a/{PLACE}"] @ arrays[f"lora_b/{PLACE}"])
    twin.head.bias.assign(arrays[HEAD])
    assert_close(logits_of(model), logits_of(twin))
    assert told.trained == 12 + 12 + 3
    assert list(adapted_layers(model)) == [PLACE]


def test_what_was_saved_is_loaded_into_a_new_or_an_adapted_model(tmp_path):
    model = make_classifier()
    enable_lora(model, rank=2, alpha=3.0)
    unfreeze(model, "head")
    numbers = np.random.default_rng(seed=3)
    for weight in model.trainable_weights:
        weight.assign(numbers.normal(size=weight.shape))
    save_adapters(model, tmp_path / "a.npz")
    expected = logits_of(model)

    plain, other = make_classifier(), make_classifier()
    load_adapters(plain, tmp_path / "a.npz")
    enable_lora(other, rank=2, alpha=3.0)  # its head is frozen
    other.compile("sgd", "mse")
    load_adapters(other, tmp_path / "a.npz")

    for loaded in (plain, other):
        assert_close(logits_of(loaded), expected)
        assert len(loaded.trainable_weights) == len(model.trainable_weights)
    assert not other.compiled
    model.compile("sgd", "mse")
    load_adapters(model, tmp_path / "a.npz")
    assert model.compiled  # only numbers were replaced


def test_a_kernel_trained_beside_its_adapter_is_trained_on(tmp_path):
    model, twin, third = make_classifier(), make_classifier(), make_classifier()
    enable_lora(model, rank=2)
    unfreeze(model, "block_1")
    for weight in model.trainable_weights:
        weight.assign(weight + 1)
    save_adapters(model, tmp_path / "a.npz")

    told = load_adapters(twin, tmp_path / "a.npz")
    save_adapters(twin, tmp_path / "b.npz")
    load_adapters(third, tmp_path / "b.npz")

    assert told == count_trained(model)
    assert_close(logits_of(third), logits_of(model))


def test_adapters_find_their_layer_among_those_without_names(tmp_path):
    def unnamed():
        model = keras.Sequential([keras.layers.Dense(6), keras.layers.Dense(6)])
        model(np.ones((1, 6), "float32"))
        return model

    model, twin = unnamed(), unnamed()
    enable_lora(model, rank=2, targets="dense_1")
    save_adapters(model, tmp_path / "a.npz")
    load_adapters(twin, tmp_path / "a.npz")

    for one in (model, twin):
        assert [layer.lora_enabled for layer in one.layers] == [False, True]


# ----------------------------------------------------------------------- errors


def without(name):
    arrays = arrays_of()
    del arrays[name]
    return arrays


SHAPE = r"\(6, 2\), for this model. Received: float32 \(5, 2\)"
WRONG = {
    "a kernel's shape": (
        {**arrays_of(), f"lora_a/{PLACE}": np.zeros((5, 2), "float32")},
        f"lora_a/{PLACE} in .* must be floats of the shape {SHAPE}",
    ),
    "the other matrix's": (
        {**arrays_of(), f"lora_b/{PLACE}": np.zeros((2, 7), "float32")},
        rf"lora_b/{PLACE} in .* shape \(2, 6\), for this model. Received: float32 \(2,",
    ),
    "ranks that differ": (
        {**arrays_of(), f"lora_b/{PLACE}": np.zeros((3, 6), "float32")},
        rf"lora_a/{PLACE} in .* shape \(6, 3\).* Received: float32 \(6, 2\)",
    ),
    "no matrix": (
        {**arrays_of(), f"lora_b/{PLACE}": np.float32(1.0)},
        rf"lora_a/{PLACE} in .* shape \(6, 1\)",
    ),
    "whole numbers": (
        {**arrays_of(), f"lora_b/{PLACE}": np.zeros((2, 6), "int32")},
        "must be floats of the shape .* Received: int32",
    ),
    "a kernel that is not there": (
        {name.replace("query", "数组"): array for name, array in arrays_of().items()},
        "must be in the model. Received: lora_a/transformer_encoder/block_1/.*数组",
    ),
    "a weight that is not there": (
        {**arrays_of(), "trained/tail/bias": np.zeros(3, "float32")},
        "The weights trained in .* Received: trained/tail/bias",
    ),
    "a weight's shape": (
        {**arrays_of(), HEAD: np.zeros(4, "float32")},
        rf"{HEAD} in .* must be floats of the shape \(3,\)",
    ),
    "half an adapter": (
        without(f"lora_b/{PLACE}"),
        "with lora_a, lora_b and lora_alpha of each kernel. Received",
    ),
    "another file's": ({"weights": np.zeros(3)}, "must be a file of `save_adapters`"),
    "no adapter at all": ({HEAD: np.zeros(3, "float32")}, "must be a file of `save_ad"),
    "objects": (
        {"lora_a/x": np.array([{}], dtype=object)},
        "must be a whole file of `save_adapters`",
    ),
}


@pytest.mark.once
@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_and_nothing_changes(case, tmp_path):
    arrays, message = WRONG[case]
    path = write(tmp_path / "a.npz", arrays)
    model = make_classifier()
    before = values(model)

    with pytest.raises(ValueError, match=message):
        load_adapters(model, path)

    assert adapted_layers(model) == {}
    assert len(model.trainable_weights) == len(model.weights)
    assert not moved(before, model)


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"targets": "query"},
            "must be those in .*Received: .*block_0/attention/query",
        ),
        ({"targets": "block_1/.*value"}, "must be those in .*Received: .*block_1/att"),
        ({"alpha": 4.0}, "lora_alpha/.* must be that of the model's adapter, 4.0. Rec"),
        (
            {"rank": 1, "alpha": 3.0},
            r"lora_a/.* shape \(6, 1\).* Received: float32 \(6",
        ),
    ],
)
def test_other_adapters_than_the_model_has_are_refused(options, message, tmp_path):
    path = write(tmp_path / "a.npz", arrays_of())
    model = make_classifier()
    enable_lora(model, **{"rank": 2, "alpha": 3.0, "targets": PLACE, **options})
    before = values(model)

    with pytest.raises(ValueError, match=message):
        load_adapters(model, path)
    assert not moved(before, model)


@pytest.mark.once
def test_files_that_are_cut_off_or_absent_are_refused(tmp_path):
    model = make_classifier()
    with pytest.raises(FileNotFoundError, match="must be a file of `save_adapters`"):
        load_adapters(model, tmp_path / "none.npz")
    path = write(tmp_path / "a.npz", arrays_of())
    whole = path.read_bytes()
    head = whole.index(b"PK\1\2")  # of the first file, in the list at the end
    damaged = [
        whole[: head + place] + byte + whole[head + place + 1 :]
        for place, byte in [(8, b"\1"), (10, b"\x63"), (10, b"\x08")]
    ]  # encrypted, an unknown compression, another one
    for content in (whole[:-200], b"\x80\x04K\x01.", b"", *damaged):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="must be a whole file of `save_adapters`"):
            load_adapters(model, path)
    np.save(tmp_path / "b.npy", np.zeros(3))
    with pytest.raises(ValueError, match="must be a whole file of `save_adapters`"):
        load_adapters(model, tmp_path / "b.npy")
    quantised = make_classifier()
    with quick_deletion():
        quantised.quantize("int8")
    write(path, arrays_of())
    with pytest.raises(
        ValueError, match="must be loaded before the model is quantised"
    ):
        load_adapters(quantised, path)
