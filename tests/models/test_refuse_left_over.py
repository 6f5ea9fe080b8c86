"""refuse_left_over: half a body is refused; heads, copies and what is asked are not."""

import json

import numpy as np
import pytest

from keras_lm.models import TransformerDecoder, TransformerEncoder
from keras_lm.models.decoder_layouts import DECODERS
from keras_lm.models.encoder_decoder_layouts import ENCODER_DECODERS
from keras_lm.models.encoder_layouts import ENCODERS
from keras_lm.models.refuse_left_over import refuse_left_over
from tests.pretrained import write

pytestmark = pytest.mark.once
LAYOUTS = {**ENCODERS, **DECODERS, **ENCODER_DECODERS}
NO_PLACE = "All weights of the body must have a place"


def left_over(kind, *names, options=()):
    """Files with these names, and one that is used."""
    tensors = {"used": np.ones((2, 3))} | {name: np.zeros((2, 3)) for name in names}
    refuse_left_over(LAYOUTS[kind], tensors, {"used"}, dict.fromkeys(options))


@pytest.mark.parametrize(
    ("kind", "model_class", "size", "name"),
    [
        ("bert", TransformerEncoder, "num_hidden_layers", "encoder.layer.1.attention"),
        ("gpt2", TransformerDecoder, "n_layer", "h.1.attn.c_attn.bias"),
    ],
)
def test_half_a_model_is_refused(kind, model_class, size, name, tmp_path):
    write(kind, tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(config | {size: 1}), "utf-8")

    with pytest.raises(ValueError, match=rf"{NO_PLACE} .* without, \['{name}"):
        model_class.from_pretrained(tmp_path, dropout=0.2, name="mine")
    file.write_text(json.dumps(config), "utf-8")
    assert model_class.from_pretrained(tmp_path, num_layers=1).num_layers == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("llama", "model.layers.0.self_attn.q_proj.bias"),
        ("llama", "model.layers.0.self_attn.q_proj.lora_A.weight"),
        ("gpt2", "transformer.h.12.crossattention.c_attn.weight"),
        ("bert", "bert.embeddings.token_type_embeddings.weight"),
        ("roberta", "roberta.encoder.layer.0.attention.self.query.weight"),
        ("distilbert", "transformer.layer.3.ffn.lin1.bias"),
        ("bart", "model.decoder.layers.1.fc2.weight"),
        ("marian", "model.encoder.embed_tokens.weight"),
    ],
)
def test_what_belongs_to_the_body_is_refused(kind, name):
    with pytest.raises(
        ValueError, match=f"{NO_PLACE} .* Received: 1 without, .'{name}"
    ):
        left_over(kind, name)
    for option in ("attention", "num_layers"):
        left_over(kind, name, options=["dropout", option])


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("bert", ["classifier.weight", "pooler.dense.weight", "cls.predictions.bias"]),
        ("electra", ["discriminator_predictions.dense.weight"]),
        ("gpt2", ["h.0.attn.bias", "h.0.attn.masked_bias", "lm_head.weight"]),
        ("llama", ["model.layers.0.self_attn.rotary_emb.inv_freq", "lm_head.weight"]),
        ("marian", ["model.encoder.embed_positions.weight", "final_logits_bias"]),
    ],
)
def test_heads_and_what_is_computed_stay_behind(kind, names):
    left_over(kind, *names)


def test_a_copy_of_what_is_used_stays_behind():
    name = "model.encoder.embed_tokens.weight"
    tensors = {"shared.weight": np.eye(3), name: np.eye(3)}
    refuse_left_over(ENCODER_DECODERS["bart"], tensors, {"shared.weight"}, {})

    tensors[name] = 2 * np.eye(3)
    with pytest.raises(ValueError, match=name):
        refuse_left_over(ENCODER_DECODERS["bart"], tensors, {"shared.weight"}, {})
