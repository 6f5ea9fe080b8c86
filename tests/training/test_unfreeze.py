"""unfreeze: what is named is trained again, whatever froze it."""

import pytest

from keras_lm.training import freeze, unfreeze
from tests.training.small_classifier import make_classifier


def test_it_undoes_freeze():
    model = make_classifier()
    freeze(model, "")

    assert unfreeze(model, "head").trained == 6 * 3 + 3
    assert unfreeze(model, "head/bias", "block_1/").trained > 21
    told = unfreeze(model, "")
    assert told.trained == told.total


@pytest.mark.once
def test_it_reaches_through_a_layer_that_is_not_trainable():
    model = make_classifier()
    model.trainable = False
    model.compile("sgd", "mse")

    unfreeze(model, "block_1/attention/query/kernel")

    paths = [weight.path for weight in model.trainable_weights]
    assert [path.partition("/")[2] for path in paths] == [
        "block_1/attention/query/kernel"
    ]
    assert not model.compiled


@pytest.mark.once
def test_a_name_that_matches_nothing_is_refused():
    with pytest.raises(ValueError, match="'heads', which is in none of"):
        unfreeze(make_classifier(), "heads")
