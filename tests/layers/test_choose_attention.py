"""choose_attention: names, prototypes, lists; a fresh layer for each block."""

import numpy as np
import pytest

from keras_lm.layers import Attention, MultiHeadAttention, choose_attention
from keras_lm.layers.choose_attention import ATTENTIONS

SIZES = {"num_heads": 3, "key_dim": 5, "dropout": 0.2}
HIDDEN = np.random.default_rng(seed=0).normal(size=(2, 7, 11)).astype("float32")


@pytest.mark.parametrize("name", ATTENTIONS)
def test_a_name_gives_a_layer_for_each_block(name):
    layers = choose_attention(name, 3, **SIZES)

    assert len({id(layer) for layer in layers}) == 3
    for layer in layers:
        assert isinstance(layer, ATTENTIONS[name])
        assert isinstance(layer, Attention)
        assert layer.num_heads == 3
        assert layer.key_dim == 5
        assert layer.dropout == 0.2


def test_a_prototype_is_copied_with_its_configuration():
    prototype = MultiHeadAttention(3, 5, num_key_value_heads=1, dropout=0.3)
    prototype(HIDDEN, HIDDEN)

    first, second = choose_attention(prototype, 2, num_heads=13)

    assert prototype not in (first, second)
    for layer in (first, second):
        config = {**layer.get_config(), "name": prototype.name}
        assert config == prototype.get_config()
    first(HIDDEN, HIDDEN), second(HIDDEN, HIDDEN)
    old, new, newer = (x.get_weights()[0] for x in (prototype, first, second))
    assert np.abs(old - new).max() > 0.01
    assert np.abs(new - newer).max() > 0.01


@pytest.mark.parametrize("by_name", [True, False])
def test_seeds_are_not_shared(by_name):
    kind = "multi_head" if by_name else MultiHeadAttention(seed=3, **SIZES)

    seeds = [layer.seed for layer in choose_attention(kind, 3, seed=3, **SIZES)]

    assert len(set(seeds)) == 3
    assert [x.seed for x in choose_attention("multi_head", 2, **SIZES)] == [None] * 2


def test_names_do_not_depend_on_what_was_made_before():
    names = {layer.name for layer in choose_attention("multi_head", 2, **SIZES)}

    assert names == {"attention"}


def test_another_name_is_that_of_the_layers_and_of_the_errors():
    kinds = ["multi_head", MultiHeadAttention(3, 7)]

    layers = choose_attention(kinds, 2, name="cross_attention", **SIZES)

    assert {layer.name for layer in layers} == {"cross_attention"}
    with pytest.raises(ValueError, match="`cross_attention` must be one of"):
        choose_attention("manyhead", 2, name="cross_attention", **SIZES)


@pytest.mark.parametrize("kinds", [list, tuple])
def test_a_list_alternates(kinds):
    wide = MultiHeadAttention(3, 7)

    layers = choose_attention(kinds(["multi_head", wide]), 4, **SIZES)

    assert [layer.key_dim for layer in layers] == [5, 7, 5, 7]


@pytest.mark.parametrize(("kinds", "blocks"), [([], 3), (["multi_head"] * 2, 3)])
def test_a_list_that_does_not_divide_is_refused(kinds, blocks):
    with pytest.raises(ValueError, match="must have a length that divides"):
        choose_attention(kinds, blocks, **SIZES)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="`attention` must be one of"):
        choose_attention("manyhead", 3, **SIZES)


@pytest.mark.parametrize("kind", [None, 3, MultiHeadAttention])
def test_what_is_no_attention_is_refused(kind):
    with pytest.raises(TypeError, match=r"one of \[.*\(an instance, not its class\)"):
        choose_attention(kind, 3, **SIZES)
