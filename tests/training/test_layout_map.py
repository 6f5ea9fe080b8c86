"""layout_map: by columns, by rows, by the token; the rest is whole."""

import keras
import pytest

from keras_lm import models
from keras_lm.training import layout_map

pytestmark = pytest.mark.once
SIZES = {
    "vocabulary_size": 20,
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "max_sequence_length": 10,
}


def mesh():
    return keras.distribution.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])


def split_axes(model):
    """The split axis of each weight that is split, by its path without the model's."""
    layouts, axes = layout_map(mesh()), {}
    for weight in model.weights:
        layout = layouts[weight.path]
        if layout is not None:
            assert len(layout.axes) == len(weight.shape)
            assert sorted(layout.axes, key=str) == sorted(
                ["model", *[None] * (len(weight.shape) - 1)], key=str
            )
            axes[weight.path.split("/", 1)[1]] = layout.axes.index("model")
    return axes


def attention(path):
    columns = {
        f"{path}/{name}/{part}": axis
        for name in ("query", "key", "value")
        for part, axis in (("kernel", 1), ("bias", 0))
    }
    return {**columns, f"{path}/output/kernel": 0}


def feed_forward(path, *inner):
    columns = {
        f"{path}/{name}/{part}": axis
        for name in inner
        for part, axis in (("kernel", 1), ("bias", 0))
    }
    return {**columns, f"{path}/output/kernel": 0}


def test_a_decoder():
    model = models.TransformerDecoder(
        **SIZES, gated=True, tie_embeddings=False, positions="learned"
    )
    assert split_axes(model) == {
        "token_embedding/embeddings": 0,
        "token_embedding/reverse_embeddings": 1,
        **attention("block_0/attention"),
        **feed_forward("block_0/feed_forward", "inner", "gate"),
    }


def test_an_encoder_under_a_head():
    encoder = models.TransformerEncoder(**SIZES, attention="regional", embedding_dim=4)
    expected = {
        "token_embedding/embeddings": 0,
        **attention("block_0/attention"),
        **feed_forward("block_0/feed_forward", "inner"),
    }
    assert split_axes(encoder) == expected
    assert split_axes(models.SequenceClassifier(encoder, num_classes=3)) == expected


def test_an_encoder_decoder():
    model = models.TransformerEncoderDecoder(
        **SIZES, share_embeddings=False, source_vocabulary_size=18
    )
    assert split_axes(model) == {
        "token_embedding/embeddings": 0,
        "source_embedding/embeddings": 0,
        **attention("encoder_block_0/attention"),
        **feed_forward("encoder_block_0/feed_forward", "inner"),
        **attention("decoder_block_0/attention"),
        **attention("decoder_block_0/cross_attention"),
        **feed_forward("decoder_block_0/feed_forward", "inner"),
    }


def test_of_an_lstm_the_tokens_only():
    model = models.LSTMLanguageModel(20, num_layers=1, hidden_dim=8, embedding_dim=8)
    assert split_axes(model) == {"token_embedding/embeddings": 0}


def test_an_axis_that_the_mesh_has_not_is_refused():
    with pytest.raises(ValueError, match="`axis_name` must be an axis of the mesh"):
        layout_map(mesh(), "heads")
