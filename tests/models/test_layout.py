"""Layout: names of weights, settings there and back, activations, what is refused."""

import keras
import pytest

from keras_lm.layers import gelu_tanh
from keras_lm.models.decoder_layouts import DECODERS
from keras_lm.models.encoder_layouts import ENCODERS
from keras_lm.models.layout import Layout, arguments_of, config_of, is_turned, names_of

pytestmark = pytest.mark.once


class Model:
    num_layers, activation = 3, staticmethod(gelu_tanh)


SMALL = Layout(
    {},
    ("",),
    "SmallModel",
    {"num_layers": "n", "activation": "act"},
    ours={"gated": True},
    theirs={"kind": ("plain", None)},
    defaults={"act": "swish"},
    read=lambda config, tensors, arguments: {"twice": 2 * arguments["num_layers"]},
    write=lambda model, config: {"thrice": 3 * config["n"]},
)


def test_names_of_a_weight():
    names, part = names_of(ENCODERS["bert"], "encoder_3/block_12/attention/key/kernel")
    thirds, third = names_of(DECODERS["gpt2"], "model/block_1/attention/value/bias")

    assert names_of(ENCODERS["bert"], "encoder/pooling/attention/score/kernel")[0] == []
    assert names[0] == "encoder.layer.12.attention.self.key.weight"
    assert names[1] == "bert.encoder.layer.12.attention.self.key.weight"
    assert part is None
    assert thirds == ["transformer.h.1.attn.c_attn.bias", "h.1.attn.c_attn.bias"]
    assert third == 2


def test_whole_names_have_no_prefix():
    layout = SMALL._replace(
        layers={"tokens": "wte", "tokens/reverse_embeddings": "head.weight"},
        prefixes=("model.", ""),
    )

    assert names_of(layout, "m/tokens/embeddings")[0] == [
        "model.wte.weight",
        "wte.weight",
    ]
    assert names_of(layout, "m/tokens/reverse_embeddings")[0] == ["head.weight"]
    assert names_of(layout, "m/tokens/lora_kernel_a")[0] == []


def test_what_is_turned():
    turned = [
        is_turned(layout, f"m/x/{leaf}")
        for layout in (ENCODERS["bert"], DECODERS["gpt2"])
        for leaf in ("kernel", "bias", "embeddings", "reverse_embeddings")
    ]

    assert turned == [True, False, False, True, False, False, False, True]


def test_settings_there_and_back():
    config = config_of(SMALL, Model(), {"pad_token_id": 4})
    arguments = arguments_of(SMALL, config, {}, {})

    assert config == {
        "architectures": ["SmallModel"],
        "kind": "plain",
        "pad_token_id": 4,
        "n": 3,
        "act": "gelu_new",
        "thrice": 9,
    }
    assert arguments == {
        "num_layers": 3,
        "activation": gelu_tanh,
        "gated": True,
        "twice": 6,
    }


def test_options_come_first_and_defaults_last():
    arguments = arguments_of(SMALL, {"n": 3}, {}, {"num_layers": 5, "gated": False})

    assert arguments == {
        "num_layers": 5,
        "activation": "silu",
        "gated": False,
        "twice": 10,
    }


def test_what_is_refused():
    with pytest.raises(ValueError, match="`kind` in config.json must be 'plain'"):
        arguments_of(SMALL, {"n": 3, "kind": "other"}, {}, {})
    with pytest.raises(ValueError, match="The activation in config.json must be one"):
        arguments_of(SMALL, {"n": 3, "act": "quick"}, {}, {})
    with pytest.raises(ValueError, match="The activation in config.json must be one"):
        arguments_of(SMALL, {"n": 3, "act": ["relu"]}, {}, {})
    model = Model()
    model.activation = keras.activations.tanh
    with pytest.raises(ValueError, match="`activation` must be one of .*'tanh'"):
        config_of(SMALL, model, {})


def test_settings_that_are_no_numbers_are_named():
    settings = SMALL.settings | {"epsilon": "eps", "intermediate_dim": "inner"}
    layout = SMALL._replace(settings=settings, defaults={"act": "relu", "inner": None})
    good = {"n": 3, "eps": 1e-5}

    for value in ("3", None, [3], 3.5):
        with pytest.raises(ValueError, match="`n` in config.json must be a whole num"):
            arguments_of(layout, good | {"n": value}, {}, {})
    for value in ("1e-5", None):
        with pytest.raises(ValueError, match="`eps` in config.json must be a number"):
            arguments_of(layout, good | {"eps": value}, {}, {})

    found = arguments_of(layout, good | {"n": "x"}, {}, {"num_layers": 2})
    assert (found["num_layers"], found["intermediate_dim"]) == (2, None)
