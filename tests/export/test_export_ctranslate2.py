"""export_ctranslate2: a model that CTranslate2 runs as ours answers, or nothing."""

import importlib.util

import numpy as np
import pytest

from keras_lm import models, pipelines, text
from keras_lm.export import ExportError, ctranslate2_weights, export_ctranslate2
from keras_lm.export.export_ctranslate2 import refuse_difference
from keras_lm.generation import beam_search
from keras_lm.layers import MultiHeadAttention, gelu_tanh
from tests.export.conftest import PROMPTS, TEXTS, make_pipeline

ENGLISH = text.train_tokenizer(TEXTS * 5, 310)
CHINESE = text.train_tokenizer(TEXTS[1:] * 5, 290)
# Wider together than the model.
WIDE = {"num_heads": 4, "key_dim": 8, "num_key_value_heads": 1}


def with_any_weights(model, seed=3):
    """No weight as it was made, biases neither: each must be in its place."""
    numbers = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        noise = numbers.normal(size=variable.shape)
        if "gamma" in variable.path:
            variable.assign(1.0 + 0.3 * noise)
        else:
            variable.assign((0.8 if "embedding" in variable.path else 0.3) * noise)
    return model


def make_translator(source_tokenizer=ENGLISH, **settings):
    model = models.TransformerEncoderDecoder(
        ENGLISH.vocabulary_size,
        num_layers=2,
        num_heads=4,
        hidden_dim=24,
        intermediate_dim=20,
        max_sequence_length=61,
        share_embeddings=source_tokenizer is ENGLISH,
        source_vocabulary_size=source_tokenizer.vocabulary_size,
        **settings,
    )
    with_any_weights(model)
    return pipelines.TextToText(model, source_tokenizer, ENGLISH, 9)


def make_generator(**settings):
    pipeline = make_pipeline(**settings)
    with_any_weights(pipeline.model)
    for block in pipeline.model.blocks:
        if block.attention.qk_norm:  # so small that the norm's epsilon counts
            kernel = block.attention.query_projection.kernel
            kernel.assign(kernel * 0.02)
    return pipeline


@pytest.fixture(scope="module")
def translator():
    return make_translator(num_key_value_heads=2)


@pytest.fixture(scope="module")
def exported(translator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ctranslate2")
    return export_ctranslate2(translator, folder / "translator")


def test_it_agrees_with_the_model_on_this_backend(exported, translator):
    assert exported.agrees
    assert exported.largest_difference < 2e-5
    files = {file.name: file.stat().st_size for file in exported.path.iterdir()}
    assert files.keys() == {
        "config.json",
        "model.bin",
        "shared_vocabulary.json",
        "source_tokenizer.model",
        "target_tokenizer.model",
    }
    assert exported.size_bytes == sum(files.values())
    assert [one.name for one in exported.path.parent.iterdir()] == ["translator"]


@pytest.mark.once
@pytest.mark.parametrize(
    "settings",
    [
        {
            "source_tokenizer": CHINESE,
            "positions": "learned",
            "normalize_first": False,
            "gated": True,
            "activation": "silu",
            "tie_embeddings": False,
        },
        {
            "positions": None,
            "activation": "relu",
            "attention": MultiHeadAttention(**WIDE),
            "cross_attention": MultiHeadAttention(**WIDE, use_bias=False),
        },
    ],
)
def test_translators_of_other_settings(tmp_path, settings):
    report = export_ctranslate2(make_translator(**settings), tmp_path / "model")

    assert report.agrees
    assert report.largest_difference < 2e-5


@pytest.mark.once
@pytest.mark.parametrize(
    "settings",
    [
        {
            "attention": MultiHeadAttention(
                num_heads=3,
                key_dim=6,
                num_key_value_heads=3,
                rotary_wavelength=90,
                use_bias=False,
                qk_norm=True,
            ),
            "gated": True,
        },
        {"positions": "learned", "normalize_first": False, "activation": "tanh"},
        {"positions": "sinusoidal", "activation": gelu_tanh},
        {"normalization": "rms", "use_bias": False, "gated": True, "epsilon": 1e-3}
        | {"activation": "silu", "rotary_wavelength": 50.0, "tie_embeddings": False},
        {
            "normalization": "rms",
            "attention": MultiHeadAttention(3, 6, use_output_bias=False),
        },
    ],
)
def test_generators_of_other_settings(tmp_path, settings):
    report = export_ctranslate2(make_generator(**settings), tmp_path / "model")

    assert report.agrees
    assert report.largest_difference < 2e-5


@pytest.mark.once
def test_the_docstrings_lines_translate_as_the_pipeline_does(exported, translator):
    import ctranslate2
    import sentencepiece

    path = str(exported.path)
    served = ctranslate2.Translator(path)
    source, target = (
        sentencepiece.SentencePieceProcessor(model_file=f"{path}/{one}.model")
        for one in ("source_tokenizer", "target_tokenizer")
    )
    for prompt in PROMPTS[:3]:
        pieces = source.encode(prompt, out_type=str)
        found = served.translate_batch(
            [pieces],
            beam_size=1,
            min_decoding_length=0,
            max_input_length=0,
            max_decoding_length=9,
        )
        answer = target.decode(found[0].hypotheses[0])
        assert answer == translator(prompt, beam_size=1)


@pytest.mark.once
def test_a_beam_finds_what_the_models_does_with_its_scores(exported, translator):
    # Without a penalty both compare sums; both look on until nothing can change.
    import ctranslate2

    served, separator = ctranslate2.Translator(str(exported.path)), ENGLISH.separator_id
    for prompt in PROMPTS[:2]:
        source = ENGLISH.encode(prompt)
        expected = beam_search(
            *(translator.model, [[*source, separator]], separator, 3, 9, [separator]),
            length_penalty=0.0,
            num_hypotheses=3,
            patience=np.inf,
        )
        found = served.translate_batch(
            [[ENGLISH._processor.id_to_piece(n) for n in source]],
            beam_size=3,
            num_hypotheses=3,
            length_penalty=0,
            patience=9,
            min_decoding_length=0,
            max_decoding_length=9,
            max_input_length=0,
            return_scores=True,
        )[0]
        for number, pieces in enumerate(found.hypotheses):
            token_ids = [ENGLISH._processor.piece_to_id(piece) for piece in pieces]
            row = expected.token_ids[0, number].tolist()
            assert token_ids == row[: [*row, separator].index(separator)]
        np.testing.assert_allclose(found.scores, expected.scores[0], atol=1e-4)


@pytest.mark.once
def test_it_looks_where_the_model_looks(exported, translator):
    import ctranslate2

    source = ENGLISH.encode("def main(): 中")
    pieces = [ENGLISH._processor.id_to_piece(n) for n in source]
    separator = ENGLISH.separator_id
    expected = beam_search(
        translator.model,
        [[*source, separator]],
        separator,
        beam_size=1,
        max_new_tokens=5,
        return_attention=True,
    ).attention[0, 0]

    found = ctranslate2.Translator(str(exported.path)).translate_batch(
        [pieces], beam_size=1, max_decoding_length=5, return_attention=True
    )

    attention = np.array(found[0].attention[0])
    # The separator at the end of the source is not among its pieces.
    np.testing.assert_allclose(attention, expected[: len(attention), :-1], atol=1e-5)


@pytest.mark.once
def test_the_docstrings_lines_generate_as_the_pipeline_does(tmp_path):
    import ctranslate2
    import sentencepiece

    settings = {"tie_embeddings": False, "num_key_value_heads": 1}
    pipeline = make_generator(positions=None, **settings)

    report = export_ctranslate2(pipeline, tmp_path / "lm")

    assert report.largest_difference < 2e-5
    served = ctranslate2.Generator(str(report.path))
    tokenizer = sentencepiece.SentencePieceProcessor(
        model_file=str(report.path / "tokenizer.model")
    )
    for prompt in PROMPTS[:3]:
        pieces = tokenizer.encode(prompt, out_type=str)
        found = served.generate_batch(
            [["</s>", *pieces]], max_length=6, include_prompt_in_result=False
        )
        assert tokenizer.decode(found[0].sequences[0]) == pipeline(prompt)


@pytest.mark.once
def test_quantised_weights_are_smaller_and_near(tmp_path, translator, exported):
    report = export_ctranslate2(translator, tmp_path / "model", "int8_float16")

    size, whole = (
        (one.path / "model.bin").stat().st_size for one in (report, exported)
    )
    assert size < 0.6 * whole
    assert 1e-6 < report.largest_difference
    assert report.quantization == "int8_float16"


@pytest.mark.once
def test_a_weight_out_of_place_is_found(tmp_path, translator, monkeypatch):
    true = ctranslate2_weights._attention

    def swapped(*arguments):
        query, (key, value), output = true(*arguments)
        return query, (value, key), output

    monkeypatch.setattr(ctranslate2_weights, "_attention", swapped)

    with pytest.raises(ExportError, match="must agree with the model to 0.001 nats"):
        export_ctranslate2(translator, tmp_path / "new" / "model")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
def test_a_directory_is_replaced_only_if_asked(tmp_path, translator, monkeypatch):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("old")
    answers = []

    def run(job, work, script):
        answers.append(script.name)
        return {**job["expected"], "size_bytes": 7}

    # The module is hidden behind its function of the same name.
    monkeypatch.setitem(export_ctranslate2.__globals__, "run_script", run)

    with pytest.raises(FileExistsError, match="overwrite=True"):
        export_ctranslate2(translator, path)
    assert (path / "old").exists()

    report = export_ctranslate2(translator, path, overwrite=True)

    assert answers == ["ctranslate2_worker.py"]
    assert report.size_bytes == 7
    assert not (path / "old").exists()


@pytest.mark.once
def test_arguments_are_checked(tmp_path, translator, monkeypatch):
    with pytest.raises(ValueError, match="`quantization` must be None or one of.*int4"):
        export_ctranslate2(translator, tmp_path / "model", "int4")
    with pytest.raises(TypeError, match="`pipeline` must be a `keras_lm.pipelines`"):
        export_ctranslate2("model", tmp_path / "model")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'keras-lm\[ctranslate2\]'"):
        export_ctranslate2(translator, tmp_path / "model")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.once
@pytest.mark.parametrize(
    ("changed", "margin", "quantization", "words"),
    [
        ({"log_likelihoods": [-4.0, -6.01]}, 1.0, None, "to 0.001 nats per token"),
        ({"log_likelihoods": [-4.0, np.nan]}, 1.0, None, "a difference of nan"),
        ({"log_likelihoods": [-4.0, -6.3]}, 1.0, "float16", "to 0.015 nats per token"),
        ({"greedy": [[1, 2], [4]]}, 0.1, None, r"must answer as .*\[4\], .*\[3\]"),
        ({"greedy": [[1, 2], [4]]}, 1e-4, None, None),
        ({"greedy": [[1, 2], [4]]}, 0.1, "int8", None),
    ],
)
def test_what_differs_is_refused(changed, margin, quantization, words):
    answers = {"greedy": [[1, 2], [3]], "log_likelihoods": [-4.0, -6.0]}
    expected = {**answers, "margins": [margin] * 2, "num_tokens": [0, 3]}
    expected["spread"] = 1.5

    assert refuse_difference(answers, expected, quantization) == 1.0
    if words is None:
        assert refuse_difference(answers | changed, expected, quantization) == 0.5
        return
    with pytest.raises(ExportError, match=words):
        refuse_difference(answers | changed, expected, quantization)
