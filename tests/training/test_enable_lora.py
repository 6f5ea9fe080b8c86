"""enable_lora: nothing changes at first; adapters learn everywhere, all else rests."""

import keras
import numpy as np
import pytest

from keras_lm.models import LSTMEncoder, TransformerDecoder
from keras_lm.models.quick_deletion import quick_deletion
from keras_lm.training import enable_lora, merge_adapters, unfreeze
from keras_lm.training.adapters import adapted_layers
from tests.checks import assert_close, compiled, decode, outputs_of
from tests.training.small_classifier import (
    INPUTS,
    LABELS,
    fit,
    make_classifier,
    moved,
    values,
)

# All kinds of attention in one model, a block each.
WEIGHTS = ("/kernel", "/embeddings")
KINDS = ["multi_head", "local", "regional", "dynamic", "bayesian"]


def logits_of(model):
    return outputs_of(compiled(model)(INPUTS))[0]


@pytest.mark.slow_elsewhere
def test_adapters_learn_wherever_they_are_and_all_else_rests():
    model = make_classifier(attention=KINDS, num_layers=5, pooling="first")
    plain = logits_of(model)
    told = enable_lora(model, rank=2, alpha=3.0, targets="")
    before = values(model)

    assert_close(logits_of(model), plain, 1e-6)
    matrices = [a for path, a in before.items() if "/lora_" in path]
    assert told.trained == sum(a.size for a in matrices)
    assert told.total == sum(a.size for a in before.values())
    # Every kernel that there is belongs to a layer that can be adapted.
    assert {path.rpartition("/")[0] for path in before if path.endswith(WEIGHTS)} == {
        path.rpartition("/")[0] for path in before if "/lora_" in path
    }

    fit(model, keras.optimizers.SGD(0.1))

    # A has no gradient while B is 0.
    assert moved(before, model) == {
        path for path in before if path.endswith(("lora_kernel_b", "lora_embeddings_b"))
    }
    adapted = logits_of(model)
    assert np.abs(adapted - plain).max() > 1e-3
    merge_adapters(model)
    assert_close(logits_of(model), adapted)


@pytest.mark.slow_elsewhere
def test_step_by_step_they_take_effect_too():
    model = TransformerDecoder(11, 2, 2, 8, 7, 9, gated=True)
    token_ids = INPUTS["token_ids"]
    plain = outputs_of(model(token_ids))[0]
    enable_lora(model, 2, targets="query|key|value|output|inner|gate")
    for layer in adapted_layers(model).values():
        layer.lora_kernel_b.assign(np.full(layer.lora_kernel_b.shape, 0.2))

    whole = outputs_of(model(token_ids))[0]

    assert np.abs(whole - plain).max() > 1e-2
    assert_close(decode(model, token_ids, 1), whole, 1e-4)


@pytest.mark.once
def test_by_default_queries_and_values_are_adapted_and_alpha_is_the_rank():
    model = make_classifier()
    told = enable_lora(model, rank=3)

    layers = adapted_layers(model)
    assert list(layers) == [
        f"transformer_encoder/block_{i}/attention/{name}/kernel"
        for i in (0, 1)
        for name in ("query", "value")
    ]
    assert told.trained == 4 * (6 * 3 + 3 * 6)
    assert {layer.lora_alpha for layer in layers.values()} == {3.0}
    assert {w.path.split("/")[-1] for w in model.trainable_weights} == {
        "lora_kernel_a",
        "lora_kernel_b",
    }


@pytest.mark.once
def test_a_new_head_learns_beside_an_encoder_that_was_not_trainable():
    model = make_classifier()
    model.encoder.trainable = False
    enable_lora(model, rank=1, targets="block_1/attention/query")
    told = unfreeze(model, "head")

    assert told.trained == (6 + 6) + (6 * 3 + 3)


@pytest.mark.slow_elsewhere
def test_it_learns():
    keras.utils.set_random_seed(1)
    model = make_classifier()
    enable_lora(model, rank=2, alpha=8.0, targets="block|head")

    losses = fit(model, keras.optimizers.Adam(0.05), epochs=40).history["loss"]

    assert losses[-1] < 0.1 < losses[0]
    assert (logits_of(model).argmax(axis=1) == LABELS).all()


@pytest.mark.once
def test_a_model_saved_whole_is_loaded_merged(tmp_path):
    model = make_classifier()
    enable_lora(model, rank=2)
    for layer in adapted_layers(model).values():
        layer.lora_kernel_b.assign(np.full(layer.lora_kernel_b.shape, 0.2))
    adapted = logits_of(model)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert_close(logits_of(loaded), adapted)
    assert (
        len(loaded.trainable_weights) == len(loaded.weights) == len(values(model)) - 8
    )


# ----------------------------------------------------------------------- errors


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 0}, "`rank` must be a whole number of at least 1. Received: rank=0"),
        ({"rank": 2.0}, "`rank` must be a whole number of at least 1"),
        ({"alpha": 0.0}, "`alpha` must be a finite number above 0. Received: alpha=0"),
        ({"alpha": float("inf")}, "`alpha` must be a finite number.*: alpha=inf"),
        ({"alpha": "8"}, "`alpha` must be a finite number above 0.*: alpha='8'"),
        (
            {"targets": "querry"},
            r"`targets` must be found.*nearest are \[.*attention/query",
        ),
        ({"targets": "attention/query/bias"}, "`targets` must be found"),
        ({"targets": "["}, "`targets` must be regular expressions"),
    ],
)
def test_what_cannot_be_adapted_is_refused(arguments, message):
    model = make_classifier()
    with pytest.raises(ValueError, match=message):
        enable_lora(model, **arguments)
    assert len(model.trainable_weights) == len(model.weights)


@pytest.mark.once
def test_twice_is_refused_and_nothing_changes():
    model = make_classifier()
    enable_lora(model, targets="block_1/attention/value")
    with pytest.raises(ValueError, match="block_1/attention/value.*has an adapter"):
        enable_lora(model)
    assert len(adapted_layers(model)) == 1


@pytest.mark.once
def test_quantised_weights_are_refused():
    model = make_classifier()
    with quick_deletion():
        model.quantize("int8")
    with pytest.raises(
        ValueError, match="quantise last. Received: .*query/kernel, whi"
    ):
        enable_lora(model)


@pytest.mark.once
def test_what_has_no_dense_layer_cannot_be_adapted():
    with pytest.raises(ValueError, match="in none of 1; the nearest are .*embeddings'"):
        enable_lora(LSTMEncoder(11, 4, 6, 1), targets="forward_0/kernel")
