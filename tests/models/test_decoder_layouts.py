"""Families of decoders: the numbers of transformers, on every backend."""

import json

import numpy as np
import pytest

from keras_lm.models import TransformerDecoder
from keras_lm.models.decoder_layouts import DECODERS
from keras_lm.models.layout import arguments_of
from tests.checks import assert_close, compiled, decode, outputs_of
from tests.pretrained import LLAMA, REAL, TOKEN_IDS, ask, configs, write

LENGTHS = {"factor": 4.0, "original_max_position_embeddings": 12}
LLAMA3 = {"rope_type": "llama3", "low_freq_factor": 0.4, "high_freq_factor": 1.5}
YARN = {"rope_type": "yarn", "beta_fast": 1.5, "beta_slow": 0.2}


def rope(**parameters):
    return {"rope_parameters": {"rope_theta": 50.0, **parameters}}


# Of which the class is the family's, and more.
KINDS = {
    "gpt2": {},
    "llama": {},
    "llama with biases, tied": {"attention_bias": True, "tie_word_embeddings": True},
    "llama of wide heads": {"head_dim": 10},
    "llama for long texts": rope(**LLAMA3, **LENGTHS),
    "llama slowed down": rope(rope_type="linear", factor=3.0),
    "mistral": {"sliding_window": 3},
    "qwen2": {},
    "qwen2 for long texts": rope(**YARN, **LENGTHS),
}


@pytest.mark.parametrize(("name", "changes"), KINDS.items(), ids=KINDS)
def test_a_decoder_gives_the_numbers_of_transformers(name, changes, tmp_path):
    theirs = write(name.split()[0], tmp_path, "AutoModelForCausalLM", **changes)
    ours = TransformerDecoder.from_pretrained(tmp_path)

    expected = ask(theirs, input_ids=TOKEN_IDS, attention_mask=REAL * 1)
    found = outputs_of(compiled(ours)(TOKEN_IDS, padding_mask=REAL))[0]

    assert np.std(expected) > 0.3
    assert_close(found[REAL], expected[REAL], tolerance=1e-4)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("name", ["mistral", "qwen2"])
def test_it_decodes_as_it_reads(name, tmp_path):
    write(name, tmp_path, "AutoModelForCausalLM", **KINDS[name])
    model = TransformerDecoder.from_pretrained(tmp_path)
    whole = outputs_of(compiled(model)(TOKEN_IDS, padding_mask=REAL))[0]

    steps = decode(model, TOKEN_IDS, 3, REAL)

    assert_close(steps[REAL], whole[REAL], tolerance=1e-4)


@pytest.mark.once
def test_options_reach_the_attention_of_a_family(tmp_path):
    write("qwen2", tmp_path, "AutoModelForCausalLM")

    model = TransformerDecoder.from_pretrained(
        tmp_path, dropout=0.2, seed=3, dtype="mixed_bfloat16"
    )
    other = TransformerDecoder.from_pretrained(tmp_path, attention="dynamic")

    layer = model.blocks[1].attention
    assert (layer.dropout, layer.compute_dtype) == (0.2, "bfloat16")
    assert layer.seed != model.blocks[0].attention.seed
    assert type(other.blocks[0].attention).__name__ == "DynamicAttention"


@pytest.mark.once
def test_wavelengths_of_new_and_old_files():
    config = configs()["llama"].to_dict()
    theta = LLAMA["rope_parameters"]["rope_theta"]
    old = {"rope_parameters": None, "rope_theta": 77.0, "rope_scaling": None}

    wavelengths = [
        arguments_of(DECODERS["llama"], config | changes, {}, {})["rotary_wavelength"]
        for changes in ({}, old, old | {"rope_theta": 10_000})
    ]

    assert wavelengths == [theta, 77.0, 10_000.0]


@pytest.mark.once
def test_scalings_of_new_and_old_files():
    config = configs()["llama"].to_dict()
    old = {"rope_parameters": None, "rope_theta": 77.0}
    yarn = {"rope_type": "yarn", "factor": 2.0, "attention_factor": None}

    attentions = [
        arguments_of(DECODERS["llama"], config | old | {"rope_scaling": one}, {}, {})
        for one in ({"type": "linear", "factor": 2.0}, yarn)
    ]

    length = {"original_max_position_embeddings": 19}
    assert [one["attention"].rotary_scaling for one in attentions] == [
        {"rope_type": "linear", "factor": 2.0},
        {"rope_type": "yarn", "factor": 2.0, **length},
    ]
    assert [one["attention"].rotary_wavelength for one in attentions] == [77.0, 77.0]


@pytest.mark.once
def test_a_window_that_hides_nothing_is_none():
    config = configs()["mistral"].to_dict()

    windows = [
        arguments_of(DECODERS["mistral"], config | changes, {}, {}).get("attention")
        for changes in ({"sliding_window": None}, {"sliding_window": 19})
    ]

    assert windows == [None, None]


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "gpt2",
            {"scale_attn_by_inverse_layer_idx": True},
            "`scale_attn_by_inverse_layer_idx` in config.json must be False",
        ),
        ("llama", {"mlp_bias": True}, "`mlp_bias` in config.json must be False"),
        (
            "llama",
            {"rope_parameters": {"rope_type": "longrope", "factor": 8.0}},
            "`rope_type` must be one of .* Received: rope_type='longrope'",
        ),
        (
            "llama",
            {"rope_parameters": None, "rope_scaling": {"type": "linear"}},
            r"'linear' must have factor. Received: .*, without \['factor'\]",
        ),
        (
            "llama",
            {"rope_parameters": {"partial_rotary_factor": 0.5}},
            "of all features of a head",
        ),
        ("qwen2", {"use_sliding_window": True}, "`use_sliding_window` in config.json"),
    ],
)
def test_what_a_model_of_ours_is_not_is_refused(name, changes, message):
    config = configs()[name].to_dict() | changes

    with pytest.raises(ValueError, match=message):
        arguments_of(DECODERS[name], config, {}, {})


@pytest.mark.once
def test_a_head_of_its_own_is_named_where_it_is_missing(tmp_path):
    write("llama", tmp_path, "AutoModelForCausalLM", tie_word_embeddings=True)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(config | {"tie_word_embeddings": False}), "utf-8")

    with pytest.raises(ValueError, match="The weights must have lm_head.weight, for "):
        TransformerDecoder.from_pretrained(tmp_path)
