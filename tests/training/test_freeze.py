"""freeze: what is named stays as it is, weight decay included; what it tells."""

import keras
import pytest

from keras_lm.training import freeze
from tests.training.small_classifier import fit, make_classifier, moved, values


@pytest.mark.slow_elsewhere
def test_what_is_frozen_stays_as_it_is():
    model = make_classifier()
    told = freeze(model, "embedding", "block_0/")
    before = values(model)

    fit(model, keras.optimizers.AdamW(0.1, weight_decay=0.1))

    still = {p for p in before if "embedding" in p or "block_0/" in p}
    assert moved(before, model) >= set(before) - still - {
        p for p in before if p.endswith("key/bias")
    }
    assert not moved(before, model) & still
    assert told.trained == sum(before[p].size for p in set(before) - still)
    assert told.total == sum(array.size for array in before.values())


@pytest.mark.once
def test_a_model_that_is_compiled_must_be_compiled_again():
    model = make_classifier()
    model.compile("sgd", "mse")

    assert isinstance(freeze(model, "bias$"), tuple)
    assert not model.compiled
    assert not [w for w in model.trainable_weights if w.path.endswith("bias")]


@pytest.mark.once
def test_freezing_adds_up_and_keeps_what_a_layer_hid():
    model = make_classifier()
    model.encoder.trainable = False
    freeze(model, "head/bias")

    assert [w.path.split("/")[-2:] for w in model.trainable_weights] == [
        ["head", "kernel"]
    ]
    assert freeze(model, "head").trained == 0


@pytest.mark.once
def test_a_name_that_matches_nothing_is_refused():
    model = make_classifier()
    with pytest.raises(ValueError, match=r"'blok_0/.*nearest are \['transformer_enc"):
        freeze(model, "head", "blok_0/attention/query/kernel")
    with pytest.raises(ValueError, match="`patterns` must name some weights"):
        freeze(model)
    assert len(model.trainable_weights) == len(model.weights)
