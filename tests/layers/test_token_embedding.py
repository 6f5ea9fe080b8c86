"""TokenEmbedding: its contract, its sum, its errors."""

import numpy as np
import pytest

from keras_lm.layers import TokenEmbedding
from tests.checks import assert_close, check_layer

TOKEN_IDS = np.array([[4, 0, 6], [1, 1, 5]], "int32")  # (B, T)


def test_layer_contract():
    check_layer(TokenEmbedding(7, 5, 4), {"token_ids": TOKEN_IDS}, (2, 3, 4))


def test_token_and_place_are_added():
    layer = TokenEmbedding(vocabulary_size=7, max_length=5, hidden_dim=4)
    hidden = layer(TOKEN_IDS)
    tokens, places = layer.get_weights()

    assert tokens.shape == (7, 4)
    assert places.shape == (5, 4)
    assert_close(hidden, tokens[TOKEN_IDS] + places[:3])


@pytest.mark.parametrize("name", ["vocabulary_size", "max_length", "hidden_dim"])
def test_a_size_below_one_is_refused(name):
    sizes = {"vocabulary_size": 7, "max_length": 5, "hidden_dim": 4}
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1"):
        TokenEmbedding(**{**sizes, name: 0})


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="at most max_length=2 tokens"):
        TokenEmbedding(7, 2, 4)(TOKEN_IDS)
