"""Families of encoder-decoders: the numbers of transformers, on every backend."""

import json

import numpy as np
import pytest

from keras_lm.generation import beam_search
from keras_lm.generation.samplers import chain, no_repeat_ngram, suppress
from keras_lm.models import TransformerEncoderDecoder
from keras_lm.models.encoder_decoder_layouts import ENCODER_DECODERS
from keras_lm.models.layout import arguments_of
from tests.checks import assert_close, compiled, outputs_of
from tests.pretrained import REAL, TOKEN_IDS, ask, configs, write

rng = np.random.default_rng(seed=1)
TARGET_IDS = rng.integers(2, 41, size=(2, 5))
TARGET_REAL = np.array([[True] * 3 + [False] * 2, [True] * 5])
HEAD = "AutoModelForSeq2SeqLM"
IDS = ["pad", "bos", "eos", "decoder_start", "forced_eos"]
IDS = [f"{name}_token_id" for name in IDS]
APART = {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": 41}
KINDS = {
    "marian": {},
    "marian with two vocabularies": APART,
    "bart": {},
    "bart, scaled": {"scale_embedding": True, "activation_function": "relu"},
}


@pytest.mark.parametrize(("name", "changes"), KINDS.items(), ids=KINDS)
def test_it_gives_the_numbers_of_transformers(name, changes, tmp_path):
    theirs = write(name.split(",")[0].split()[0], tmp_path, HEAD, **changes)
    ours = TransformerEncoderDecoder.from_pretrained(tmp_path)

    expected = ask(
        theirs,
        input_ids=TOKEN_IDS,
        attention_mask=REAL * 1,
        decoder_input_ids=TARGET_IDS,
        decoder_attention_mask=TARGET_REAL * 1,
    )
    found = compiled(ours)(
        TOKEN_IDS,
        TARGET_IDS,
        encoder_padding_mask=REAL,
        decoder_padding_mask=TARGET_REAL,
    )

    assert np.std(expected) > 0.3
    found = outputs_of(found)[0]
    assert_close(found[TARGET_REAL], expected[TARGET_REAL], tolerance=1e-4)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("name", ["marian", "bart"])
def test_a_beam_of_one_writes_what_transformers_writes(name, tmp_path):
    import torch

    theirs = write(name, tmp_path, HEAD)
    ours = TransformerEncoderDecoder.from_pretrained(tmp_path)
    start = theirs.config.decoder_start_token_id
    expected = theirs.generate(
        torch.tensor(TOKEN_IDS),
        attention_mask=torch.tensor(REAL * 1),
        num_beams=1,
        do_sample=False,
        max_new_tokens=9,
        min_new_tokens=9,
        no_repeat_ngram_size=1,  # random models repeat themselves
        forced_bos_token_id=None,
        forced_eos_token_id=None,
    ).numpy()[:, 1:]

    rows = [row[real].tolist() for row, real in zip(TOKEN_IDS, REAL, strict=True)]
    # It ends no text before 9; to transformers the start token was said, too.
    sampler = chain(no_repeat_ngram(1), suppress([2, start]))
    found = beam_search(ours, rows, start, 1, 9, sampler=sampler)

    np.testing.assert_array_equal(found.token_ids[:, 0], expected)


@pytest.mark.once
def test_a_file_without_a_bias_of_logits(tmp_path):
    import safetensors.numpy

    write("bart", tmp_path, HEAD)
    file = tmp_path / "model.safetensors"
    tensors = safetensors.numpy.load_file(file)
    tensors.pop("final_logits_bias", None)
    safetensors.numpy.save_file(tensors, file)

    model = TransformerEncoderDecoder.from_pretrained(tmp_path)

    assert not model.logits_bias
    assert model.source_position_embedding.embeddings.shape[0] == 19


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("marian", {"decoder_layers": 3}, "`decoder_layers` in config.json must be"),
        ("bart", {"decoder_ffn_dim": 7}, "`decoder_ffn_dim` .* must be encoder_ffn"),
        ("bart", {"normalize_before": True}, "`normalize_before` in config.json must"),
        ("marian", {"tie_word_embeddings": False}, "`tie_word_embeddings` in config"),
    ],
)
def test_what_a_model_of_ours_is_not_is_refused(name, changes, message):
    config = configs()[name].to_dict() | changes

    with pytest.raises(ValueError, match=message):
        arguments_of(ENCODER_DECODERS[name], config, {}, {})


class Tokenizer:
    FILE_SUFFIX, vocabulary_size = ".model", 47

    def __init__(self, padding_id, separator_id):
        self.padding_id, self.separator_id = padding_id, separator_id

    def save(self, path):
        path.write_text("", "utf-8")


def written(model):
    """What transformers' model writes of the sources, as it wants to."""
    import torch

    rows = torch.tensor(TOKEN_IDS), torch.tensor(REAL * 1)
    found = model.generate(rows[0], attention_mask=rows[1], max_new_tokens=5)
    return found.tolist()


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(("name", "changes"), KINDS.items(), ids=KINDS)
def test_transformers_reads_what_we_write(name, changes, tmp_path):
    import transformers

    theirs = write(name.split(",")[0].split()[0], tmp_path / "theirs", HEAD, **changes)
    ours = TransformerEncoderDecoder.from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    again, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )

    asked = {"input_ids": TOKEN_IDS, "decoder_input_ids": TARGET_IDS}
    assert again.config.model_type == theirs.config.model_type
    assert not report["unexpected_keys"]
    assert not report["missing_keys"]
    assert_close(ask(again.eval(), **asked), ask(theirs, **asked), tolerance=1e-6)
    for name in IDS:
        assert getattr(again.config, name) == getattr(theirs.config, name)
    assert written(again) == written(theirs)


@pytest.mark.once
def test_the_separator_starts_and_ends_a_target(tmp_path):
    write("bart", tmp_path / "theirs", HEAD)
    model = TransformerEncoderDecoder.from_pretrained(tmp_path / "theirs")
    model.save_pretrained(tmp_path / "ours", Tokenizer(4, 3))
    config = json.loads((tmp_path / "ours" / "config.json").read_text("utf-8"))

    assert config["decoder_start_token_id"] == config["eos_token_id"] == 3
    assert config["forced_eos_token_id"] is None
    assert config["pad_token_id"] == 4
    # Nothing is left of a tokenizer that is another one.
    assert not (tmp_path / "ours" / "generation_config.json").exists()


@pytest.mark.once
def test_a_target_starts_as_the_files_say(tmp_path):
    write("marian", tmp_path / "theirs", HEAD)
    model = TransformerEncoderDecoder.from_pretrained(tmp_path / "theirs")
    # Its own tokenizer: a Marian starts with the padding, and ends with the separator.
    model.save_pretrained(tmp_path / "ours", Tokenizer(1, 2))
    given = {"decoder_start_token_id": 5}
    model.save_pretrained(tmp_path / "other", Tokenizer(1, 2), special_tokens=given)
    theirs, ours, other = (
        json.loads((tmp_path / name / "config.json").read_text("utf-8"))
        for name in ("theirs", "ours", "other")
    )

    for name in IDS:
        assert ours[name] == theirs.get(name)
    assert ours["decoder_start_token_id"] == ours["pad_token_id"] == 1
    assert other == ours | given
    again = TransformerEncoderDecoder.from_pretrained(tmp_path / "ours")
    assert again.kept_settings == model.kept_settings


@pytest.mark.once
def test_positions_of_a_marian_do_not_learn(tmp_path):
    write("marian", tmp_path / "theirs", HEAD)
    model = TransformerEncoderDecoder.from_pretrained(tmp_path / "theirs")
    gain = model.position_embedding.gain

    assert not gain.trainable
    gain.assign(0.5)
    with pytest.raises(ValueError, match="position_embedding/gain` must be 1.0, not 0"):
        model.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()
