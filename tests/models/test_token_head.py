"""TokenHead: a case by hand, its configuration, states at positions."""

import keras
import numpy as np

from keras_lm.models.token_head import TokenHead, at_positions
from tests.checks import assert_close


def test_a_case_done_by_hand():
    # No activation, W = ((2, 0), (0, 2)), b = (1, 3): (1, 0) becomes (3, 3), and (0, 3)
    # becomes (1, 9); normalised, (0, 0) and (-1, 1). With the embeddings (1, 0), (0, 1)
    # and (1, 2) the products are 0, and -1, 1 and 1.
    embedding = keras.layers.ReversibleEmbedding(3, 2)
    embedding.build()
    embedding.set_weights([np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 2.0]])])
    head = TokenHead(vocabulary_size=3, embedding_dim=2, activation="linear")
    head.build((None, None, 2))
    values = {
        "kernel": [[2.0, 0.0], [0.0, 2.0]],
        "beta": [0.0, 0.0],
        "gamma": [1.0, 1.0],
    }
    for weight in head.weights:
        if weight.path.endswith("dense/bias"):
            weight.assign([1.0, 3.0])
        elif weight.name == "bias":
            weight.assign([0.5, 0.25, 0.0])
        else:
            weight.assign(values[weight.name])

    hidden = np.array([[[1.0, 0.0], [0.0, 3.0]]])
    logits = head(hidden, token_embedding=embedding)

    assert_close(logits, [[[0.5, 0.25, 0.0], [-0.5, 1.25, 1.0]]], tolerance=1e-4)


def test_its_configuration_gives_it_back():
    head = TokenHead(5, 3, activation="relu", epsilon=1e-3)

    copy = TokenHead.from_config(head.get_config())

    assert copy.get_config() == head.get_config()
    assert (copy.epsilon, copy.activation) == (1e-3, keras.activations.relu)


def test_states_at_positions():
    hidden = np.arange(12.0).reshape(2, 3, 2)

    found = at_positions(hidden, np.array([[2, 0], [1, 1]], "int32"))

    assert_close(found, [[[4.0, 5.0], [0.0, 1.0]], [[8.0, 9.0], [8.0, 9.0]]])
    assert_close(at_positions(hidden, None), hidden)
