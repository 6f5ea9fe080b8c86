"""Translators: both exports answer as the pipeline does, by beam search or greedily."""

import json
import math

import numpy as np
import pytest

from keras_lm.export import ExportError, export_litert, export_saved_model
from keras_lm.export.check_text_to_text import LiteRTTranslator
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.reference import PROBES
from keras_lm.export.text_to_text_kind import reference, refuse
from keras_lm.pipelines.answer import Answer
from tests.checks import assert_close
from tests.export.conftest import PROMPTS, make_translator
from tests.export.readme import run_script

heavy = pytest.mark.slow_elsewhere


def n_best(signatures, texts, max_new_tokens=7):
    """`[[Answer]]`, as the pipeline has it: without empty places."""
    import tensorflow as tf

    texts = tf.constant(texts, tf.string, shape=[len(texts)])
    found = signatures["n_best"](text=texts, max_new_tokens=tf.constant(max_new_tokens))
    names = "answers", "scores", "finished"
    return [
        [
            Answer(a.decode("utf-8"), s, bool(f))
            for a, s, f in zip(*row)
            if s > -math.inf
        ]
        for row in zip(*(found[name].numpy() for name in names))
    ]


# --------------------------------------------------------------------- both exports


@heavy
@pytest.mark.parametrize("report", ["translator_saved_model", "translator_litert"])
def test_they_agree_with_the_model_on_this_backend(report, request):
    report = request.getfixturevalue(report)

    assert report.agrees
    assert report.largest_difference < 1e-4
    assert report.size_bytes > 30_000


@heavy
@pytest.mark.parametrize(
    "export", [export_litert, pytest.param(export_saved_model, marks=pytest.mark.slow)]
)
def test_an_lstm_with_attention_agrees(export, tmp_path):
    report = export(make_translator("lstm"), tmp_path / "lstm.tflite")

    assert report.agrees
    assert report.largest_difference < 1e-4


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("export", [export_saved_model, export_litert])
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("transformer", {"positions": "learned", "normalize_first": False}),
        ("transformer", {"cross_attention": "dynamic", "num_key_value_heads": 2}),
        ("transformer", {"attention": "local", "gated": True}),
        ("lstm", {"attention": "luong", "tie_embeddings": True}),
        ("lstm", {"attention": "luong", "input_feeding": False}),
        ("lstm", {"attention": None, "bidirectional": False}),
    ],
)
def test_all_kinds_of_models_agree(export, model, settings, tmp_path):
    pipeline = make_translator(model, max_source_length=23, **settings)

    report = export(pipeline, tmp_path / "model.tflite")

    assert report.agrees
    assert report.largest_difference < 1e-4


# ----------------------------------------------------------------------- SavedModel


@heavy
def test_the_saved_model_searches_as_the_pipeline(translator_signatures, translator):
    import tensorflow as tf

    served = translator_signatures["serving_default"](text=tf.constant(PROMPTS))
    answers = [text.decode("utf-8") for text in served["answer"].numpy()]

    expected = translator.n_best(PROMPTS, 4, 4)
    assert answers == translator(PROMPTS) == [ranked[0].text for ranked in expected]
    assert len(set(answers)) == len(PROMPTS)
    assert_close(served["score"], [ranked[0].score for ranked in expected], 1e-4)
    finished = [ranked[0].finished for ranked in expected]
    assert served["finished"].numpy().tolist() == finished
    found = n_best(translator_signatures, PROMPTS)
    for ranked, wanted in zip(found, expected, strict=True):
        assert [one._replace(score=0) for one in ranked] == [
            one._replace(score=0) for one in wanted
        ]
        assert_close([one.score for one in ranked], [one.score for one in wanted], 1e-4)
    assert found[PROMPTS.index("")] == [("", 0.0, True)]
    assert {one.finished for ranked in found for one in ranked} == {True, False}


@heavy
def test_max_new_tokens_is_heeded_and_a_row_is_what_it_is_alone(
    translator_signatures, translator
):
    longer = n_best(translator_signatures, PROMPTS, 12)
    alone = [n_best(translator_signatures, [one], 12)[0] for one in PROMPTS]

    expected = translator(PROMPTS, max_new_tokens=12)
    assert [ranked[0].text for ranked in longer] == expected
    assert [ranked[0].text for ranked in alone] == expected
    assert expected != translator(PROMPTS)
    assert n_best(translator_signatures, []) == []


@heavy
def test_score_is_the_pipelines(translator_signatures, translator):
    import tensorflow as tf

    targets = ["", "中文，", "values", b"\xff", "a ▁\x1b b"]
    found = translator_signatures["score"](
        text=tf.constant(PROMPTS), answer=tf.constant(targets)
    )

    assert_close(found["log_likelihood"], translator.score(PROMPTS, targets), 1e-4)
    lengths = [len(row) + 1 for row in translator.target_tokenizer.encode(targets)]
    assert found["num_tokens"].numpy().tolist() == lengths


@heavy
def test_what_does_not_fit_is_an_error_in_our_words(translator_signatures, translator):
    import tensorflow as tf

    fault = tf.errors.InvalidArgumentError
    assert len(translator.source_tokenizer.encode("\0")) == 1
    n_best(translator_signatures, ["\0" * 32])
    with pytest.raises(fault, match="A source must have at most 33 tokens"):
        n_best(translator_signatures, ["a", "\0" * 33])
    for wrong in (0, 23):
        with pytest.raises(fault, match="must be at least 1 and at most 22"):
            n_best(translator_signatures, ["a"], wrong)
    score = translator_signatures["score"]
    with pytest.raises(fault, match="A target must have at most 23 tokens"):
        score(text=tf.constant(["a"]), answer=tf.constant(["\0" * 23]))
    with pytest.raises(fault, match="as many texts as answers"):
        score(text=tf.constant(["a"]), answer=tf.constant(["b", "c"]))


# --------------------------------------------------------------------------- LiteRT


@heavy
def test_the_litert_file_answers_greedily(translator_litert, translator):
    lite = LiteRTTranslator(translator_litert.path)
    texts = [*PROMPTS, "\0" * 32]
    raw = [text if isinstance(text, bytes) else text.encode() for text in texts]

    expected = translator(texts, beam_size=1)
    assert [lite.answer(text) for text in raw] == expected
    assert len(set(expected)) == len(texts)
    assert strange_ops(translator_litert.path.read_bytes()) == set()


@heavy
def test_the_weights_are_stored_once(translator_litert, translator):
    from ai_edge_litert import schema_py_generated as schema

    content = schema.Model.GetRootAs(translator_litert.path.read_bytes(), 0)
    sizes = [content.Buffers(n).DataLength() for n in range(content.BuffersLength())]
    weights = 4 * translator.model.count_params()

    assert 0.9 * weights < sum(sizes) < 1.15 * weights


@heavy
def test_names_and_both_tokenizers_lie_beside(translator_litert, translator):
    about = json.loads(translator_litert.path.with_suffix(".json").read_text("utf-8"))

    for name in ("source_tokenizer", "target_tokenizer"):
        tokenizer = getattr(translator, name)
        proto = translator_litert.path.with_suffix(f".{name}.model").read_bytes()
        assert proto == tokenizer.model_proto
        assert about[name]["separator_id"] == tokenizer.separator_id
    assert about["signatures"] == ["encode", "prefill", "decode"]
    assert about["source"]["source_padding_mask"]["shape"] == [1, None]
    assert about["max_source_length"] == 33


@pytest.mark.once
def test_the_script_in_the_readme_answers_with_litert_alone(
    translator_litert, translator
):
    texts = [text for text in PROMPTS if isinstance(text, str)]

    blocked = ["tensorflow", "keras", "keras_lm", "jax", "torch"]
    lines = run_script("translate_litert.py", blocked, translator_litert.path, texts)

    assert "\n".join(lines) == "\n".join(translator(texts, beam_size=1))


@pytest.mark.slow
@pytest.mark.once
def test_a_quantised_file_is_smaller_and_close(translator, translator_litert, tmp_path):
    report = export_litert(translator, tmp_path / "small.tflite", "dynamic_int8")

    assert report.size_bytes < translator_litert.size_bytes
    assert report.largest_difference > 1e-4


# ------------------------------------------------------------------------ reference


@pytest.mark.slow_elsewhere
def test_the_reference_is_what_the_pipeline_says(translator, tmp_path):
    found = reference(translator, tmp_path)

    sources = [one.encode("utf-8", "surrogateescape") for one in found["sources"]]
    targets = [one.encode("utf-8", "surrogateescape") for one in found["targets"]]
    assert set(found["sources"]) < set(PROBES)  # one is too long
    assert found["answers"] == translator(sources)
    best = translator.n_best(sources, 1)
    assert found["finished"] == [ranked[0].finished for ranked in best]
    assert found["greedy_answers"] == translator(sources, beam_size=1)
    assert_close(found["log_likelihoods"], translator.score(sources, targets))
    logits = np.load(found["logits_path"])
    for row, answer, tokens in zip(
        logits, found["greedy_answers"], found["target_ids"], strict=True
    ):
        if "\ufffd" not in answer and answer:
            assert row.argmax(axis=-1)[: len(tokens) - 1].tolist() == tokens[1:]


# --------------------------------------------------------------------------- errors

CHECKED = {
    "largest_difference": 1e-7,
    "greedy_agreement": 0.5,
    "finite": True,
    "equal": [True, False],
    "answers": ["one", "two"],
    "scores": [-1.0, -2.0],
    "finished": [True, False],
}
EXPECTED = {
    "answers": ["one", "three"],
    "scores": [-1.0, -2.0],
    "finished": [True, True],
}


@pytest.mark.parametrize("scores", [[-1.0, -2.0], [-1.0, -2.0005], [-1.0, -1.5]])
def test_another_answer_may_come_if_it_is_as_good(scores):
    assert refuse({**CHECKED, "scores": scores}, EXPECTED) == 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores": [-1.0, -2.01]}, "must find answers as good as the model's"),
        ({"scores": [-0.9, -2.0]}, "must find answers as good as the model's"),
        ({"scores": [-1.0, math.nan]}, "must find answers as good as the model's"),
        ({"finished": [False, True]}, "must say which answers were cut off"),
        ({"largest_difference": 2e-3}, "must agree with the model to"),
        ({"largest_difference": math.nan}, "must agree with the model to"),
        ({"finite": False}, "must agree with the model to"),
    ],
)
def test_a_saved_model_that_disagrees_is_refused(changes, words):
    with pytest.raises(ExportError, match=words):
        refuse({**CHECKED, **changes}, EXPECTED)
