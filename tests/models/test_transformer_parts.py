"""transformer_parts: places, blocks with seeds and names of their own, the checks."""

import keras
import numpy as np
import pytest

from keras_lm import models
from keras_lm.layers import TransformerDecoderBlock
from keras_lm.models.transformer_parts import (
    check_transformer,
    is_symbolic,
    make_attentions,
    make_blocks,
    make_position_embedding,
    make_token_embedding,
    places_of,
)
from tests.checks import assert_close, compiled

POLICY = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
SIZES = (3, 2, 8, 0.1)  # blocks, heads, width, dropout
MODELS = ("TransformerEncoder", "TransformerDecoder", "TransformerEncoderDecoder")


def make_model(name, positions="learned"):
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}
    sizes |= {"max_sequence_length": 6, "positions": positions}
    return getattr(models, name)(vocabulary_size=11, **sizes)


def inputs_of(name, length):
    token_ids = np.ones((2, length), "int32")
    if name != "TransformerEncoderDecoder":
        return token_ids
    return {"encoder_token_ids": token_ids, "decoder_token_ids": token_ids[:, :2]}


def test_places_count_real_tokens():
    token_ids = np.zeros((2, 5), "int32")
    real = np.array([[False, True, True, False, True], [True] * 3 + [False] * 2])

    assert_close(places_of(token_ids, None), [[0, 1, 2, 3, 4]])
    assert_close(places_of(token_ids, real), [[0, 0, 1, 1, 2], [0, 1, 2, 2, 2]])


@pytest.mark.parametrize("run", [lambda model: model, compiled], ids=["eager", "graph"])
@pytest.mark.parametrize("name", MODELS)
def test_more_tokens_than_learned_places_are_refused(name, run):
    model = make_model(name)

    assert np.isfinite(model.predict(inputs_of(name, 6), verbose=0)).all()
    with pytest.raises(ValueError, match="at most 6, received: 7"):
        run(model)(inputs_of(name, 7))
    assert np.isfinite(
        make_model(name, "sinusoidal").predict(inputs_of(name, 7), verbose=0)
    ).all()


def test_more_target_tokens_than_learned_places_are_refused():
    model, inputs = make_model(MODELS[-1]), inputs_of(MODELS[-1], 6)

    with pytest.raises(ValueError, match="at most 6, received: 7"):
        model({**inputs, "decoder_token_ids": np.ones((2, 7), "int32")})


def test_shapes_of_any_length_are_no_texts():
    # Keras finds these with made-up lengths, which are above 6.
    model = models.TokenClassifier(make_model("TransformerEncoder"), 3)
    token_ids = keras.Input((None,), dtype="int32")
    outer = keras.Model(
        token_ids, keras.layers.Dense(5)(model({"token_ids": token_ids}))
    )

    assert outer.output_shape == (None, None, 5)
    assert outer.predict(np.ones((2, 6), "int32"), verbose=0).shape == (2, 6, 5)
    assert not is_symbolic()


def test_embeddings():
    tied, apart = (
        make_token_embedding(11, 8, tie, POLICY, "tokens") for tie in (True, False)
    )
    for layer in (tied, apart):
        layer.build((None, None))

    assert apart.count_params() == 2 * tied.count_params() == 2 * 11 * 8
    assert make_position_embedding("rotary", 7, 8, POLICY, "places") is None
    places = make_position_embedding("learned", 7, 8, POLICY, "places")
    assert (places.input_dim, places.output_dim, places.name) == (7, 8, "places")


@pytest.mark.parametrize("positions", ["rotary", "learned", None])
def test_attentions(positions):
    layers = make_attentions("multi_head", *SIZES, positions, name="look", seed=5)

    assert [layer.seed for layer in layers] == [5, 6, 7]
    assert {(x.num_heads, x.key_dim, x.dropout, x.name) for x in layers} == {
        (2, 4, 0.1, "look")
    }
    assert all((layer.rotary is None) == (positions != "rotary") for layer in layers)


def test_blocks():
    kinds = [
        make_attentions("multi_head", *SIZES, name=name, dtype=POLICY)
        for name in ("attention", "cross_attention")
    ]
    arguments = (16, "silu", True, False, 0.1)

    plain, crossing = (
        make_blocks(
            TransformerDecoderBlock, arguments, kinds[0], "block", 5, POLICY, crosses
        )
        for crosses in (None, kinds[1])
    )

    for blocks in (plain, crossing):
        assert [block.name for block in blocks] == ["block_0", "block_1", "block_2"]
        assert [block.seed for block in blocks] == [5, 6, 7]
        assert [block.attention for block in blocks] == kinds[0]
        for block in blocks:
            assert block.feed_forward.gated
            assert not block.normalize_first
            assert block.compute_dtype == "bfloat16"
    assert [block.cross_attention for block in plain] == [None] * 3
    assert [block.cross_attention for block in crossing] == kinds[1]


@pytest.mark.parametrize(
    ("num_heads", "positions", "sizes", "message"),
    [
        (3, None, {}, "`hidden_dim` must be a multiple"),
        (2, "odd", {}, "`positions` must be one of"),
        (2, None, {"num_layers": 0}, "`num_layers` must be at least 1"),
    ],
)
def test_what_is_refused(num_heads, positions, sizes, message):
    with pytest.raises(ValueError, match=message):
        check_transformer(num_heads, 8, positions, **sizes)
