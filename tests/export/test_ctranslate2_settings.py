"""What CTranslate2 is told, and what is refused because it has no word for it."""

import json

import keras
import pytest

from keras_lm import models, pipelines, text
from keras_lm.export import ExportError
from keras_lm.export.ctranslate2_settings import settings_of
from keras_lm.layers import MultiHeadAttention
from tests.export.conftest import TEXTS, make_pipeline

pytestmark = pytest.mark.once

TOKENIZER = text.train_tokenizer(TEXTS * 5, 310)


def make_translator(**settings):
    model = models.TransformerEncoderDecoder(
        TOKENIZER.vocabulary_size,
        num_layers=2,
        num_heads=4,
        hidden_dim=24,
        intermediate_dim=20,
        max_sequence_length=71,
        **settings,
    )
    return pipelines.TextToText(model, TOKENIZER, TOKENIZER)


def head(**settings):
    return MultiHeadAttention(num_heads=4, key_dim=6, **settings)


def test_a_decoder_is_described():
    settings = settings_of(make_pipeline(num_key_value_heads=2, gated=True))

    assert json.loads(json.dumps(settings)) == settings
    assert settings == {
        "decoder": {
            "num_layers": 2,
            "num_heads": 4,
            "num_heads_kv": 2,
            "qk_norm": False,
            "with_encoder_attention": False,
            "pre_norm": True,
            "activation": "GELU",
            "ffn_glu": True,
            "rotary_dim": 0,
            "rotary_interleave": False,
            "rotary_base": 10_000.0,
        },
        "layer_norm_epsilon": 1e-5,
    }


def test_an_encoder_decoder_is_described():
    settings = settings_of(
        make_translator(positions="learned", normalize_first=False, activation="relu")
    )

    side = {
        "num_layers": 2,
        "num_heads": 4,
        "num_heads_kv": 4,
        "qk_norm": False,
        "pre_norm": False,
        "activation": "RELU",
        "ffn_glu": False,
    }
    heads = {"alignment_layer": -1, "alignment_heads": 4}
    assert settings == {
        "encoder": side,
        "decoder": side | heads,
        "layer_norm_epsilon": 1e-5,
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"attention": "local"}, "`attention` of block_0 is LocalAttention"),
        ({"attention": ["multi_head", "dynamic"]}, "`attention` of block_1 is Dynamic"),
        ({"attention": head(soft_cap=5.0)}, "Received: soft_cap=5.0 in `attention`"),
        ({"attention": head(value_dim=5)}, "Received: value_dim=5 in `attention`"),
        (
            {"attention": [head(), MultiHeadAttention(num_heads=4, key_dim=8)]},
            r"Received: key_dim=\[6, 8\]",
        ),
        ({"attention": [head(), head(qk_norm=True)]}, r"qk_norm=\[False, True\]"),
        (
            {"attention": [head(), MultiHeadAttention(num_heads=3, key_dim=6)]},
            r"Received: num_heads=\[4, 3\]",
        ),
        (
            {"attention": [head(), head(num_key_value_heads=2)]},
            r"Received: num_key_value_heads=\[4, 2\]",
        ),
        (
            {"attention": [head(rotary_wavelength=50.0), head()]},
            r"Received: rotary_wavelength=\[50.0, None\]",
        ),
        (
            {"positions": "learned", "attention": head(rotary_wavelength=50.0)},
            "Positions must be added or rotary for CTranslate2, not both",
        ),
        ({"activation": "mish"}, "Received: activation='mish'"),
        ({"activation": lambda x: x}, "Received: activation='<lambda>'"),
    ],
)
def test_what_ctranslate2_cannot_express_is_refused_by_name(settings, words):
    with pytest.raises(ExportError, match=words):
        settings_of(make_pipeline(**settings))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cross_attention": "dynamic"}, "`cross_attention` of decoder_block_0 is Dyn"),
        ({"attention": head(qk_norm=True)}, "`qk_norm` of the attention must be False"),
        ({"attention": "regional"}, "`attention` of .*coder_block_0 is Regional"),
        (
            {"cross_attention": MultiHeadAttention(num_heads=3, key_dim=6)},
            r"Received: num_heads=\[4, 3, 4, 3\]",
        ),
        (
            {"cross_attention": head(num_key_value_heads=2)},
            r"Received: num_key_value_heads=\[4, 2, 4, 2\]",
        ),
        (
            {"cross_attention": head(soft_cap=5.0)},
            "soft_cap=5.0 in `cross_attention` of decoder_block_0",
        ),
        ({"outer_norm": None}, "`outer_norm` must be 'last' for an export"),
        ({"scale_embeddings": True}, "`scale_embeddings` must be False for an"),
        ({"logits_bias": True}, "`logits_bias` must be False for an export"),
        ({"share_positions": False}, "`share_positions` must be True for an export"),
    ],
)
def test_attention_to_a_source_is_held_to_the_same(settings, words):
    with pytest.raises(ExportError, match=words):
        settings_of(make_translator(**settings))


def test_other_models_and_things_are_refused(classifier):
    lstm = models.LSTMEncoderDecoder(
        TOKENIZER.vocabulary_size, embedding_dim=4, hidden_dim=6, num_layers=1
    )

    with pytest.raises(ExportError, match=r"must be a TransformerEncoderDecoder.*LSTM"):
        settings_of(pipelines.TextToText(lstm, TOKENIZER, TOKENIZER))
    with pytest.raises(TypeError, match="`pipeline` must be a `keras_lm.pipelines`"):
        settings_of(classifier)


def test_a_quantised_model_is_refused():
    pipeline = make_pipeline()
    pipeline.model.blocks[0].feed_forward.inner_projection.quantize("int8")

    with pytest.raises(ValueError, match="must not be quantised already"):
        settings_of(pipeline)


def test_keras_gelu_is_the_exact_one():
    # 2 * 0.9772499, the normal distribution at 2; by tanh it would be 1.954598.
    value = float(keras.activations.gelu(keras.ops.array(2.0)))

    assert value == pytest.approx(1.9544997, abs=2e-6)
