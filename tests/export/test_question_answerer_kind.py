"""Question answerers: both exports give the answers that the pipeline gives."""

import json
import math

import keras
import numpy as np
import pytest

from keras_lm import models, pipelines, text
from keras_lm.export import ExportError, export_litert, export_saved_model
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.question_answerer_kind import (
    litert_signatures,
    reference,
    refuse,
)
from keras_lm.export.reference import as_bytes
from keras_lm.text.context_windows import context_windows, window_arrays
from tests.checks import assert_close
from tests.export.conftest import (
    PROMPTS,
    TEXTS,
    export_both,
    loaded_signatures,
    lstm_encoder,
)
from tests.export.readme import run_script
from tests.export.test_text_embedder_kind import pretrained_tokenizer
from tests.fakes import random_weights

pytestmark = pytest.mark.slow_elsewhere
QUESTIONS = [prompt or "nothing?" for prompt in PROMPTS]
CONTEXTS = [*QUESTIONS[1:], " Returns the sum. \u3000🙂 "]
# One window, several, one and many of one batch.
LONG = [CONTEXTS[0], "中文，再加 👩‍👧 的 🙂 字。" * 9, CONTEXTS[2]]
LONG += ["Returns the sum of " * 40 + "two 值", b"\xff def main(): \xe4 pass " * 7]
BLOCKED = ["tensorflow", "keras", "keras_lm", "jax", "torch"]
NONE = "no answer"


def make_question_answerer(tokenizer=None, num_segments=2, lstm=False, **options):
    keras.utils.set_random_seed(7)
    if tokenizer is None:
        tokenizer = text.train_tokenizer(TEXTS * 5, 310)
    encoder = models.TransformerEncoder(
        tokenizer.vocabulary_size, 1, 2, 12, 10, 71, num_segments=num_segments
    )
    if lstm:
        encoder = lstm_encoder(tokenizer, 71, num_segments=num_segments)
    model = models.SpanExtractor(encoder)
    random_weights(model, seed=3)
    return pipelines.QuestionAnswerer(model, tokenizer, **options)


@pytest.fixture(scope="module")
def answerer():
    options = {"max_length": 67, "max_answer_length": 3, "threshold": 1.0}
    return make_question_answerer(**options)


@pytest.fixture(scope="module")
def saved_model(answerer, tmp_path_factory):
    return export_saved_model(answerer, tmp_path_factory.mktemp("answers") / "a")


@pytest.fixture(scope="module")
def signatures(saved_model):
    yield from loaded_signatures(saved_model.path)


@pytest.fixture(scope="module")
def litert(answerer, tmp_path_factory):
    return export_litert(answerer, tmp_path_factory.mktemp("litert") / "a.tflite")


def serve(signatures, questions, contexts, name="serving_default"):
    """`(text, start, end)` of each, and the scores."""
    import tensorflow as tf

    given = {"question": questions, "context": contexts}
    given = {name: tf.constant(side, tf.string) for name, side in given.items()}
    answer = {key: one.numpy() for key, one in signatures[name](**given).items()}
    texts = [one.decode("utf-8") for one in answer["answer"]]
    spans = zip(texts, answer["start"].tolist(), answer["end"].tolist(), strict=True)
    return list(spans), answer["score"]


def expected_of(answerer, questions, contexts):
    answers = answerer(questions, contexts)
    nothing = answerer.no_answer_scores(questions, contexts)
    spans = [one[:3] if one else ("", -1, -1) for one in answers]
    scores = [
        one.score if one else none for one, none in zip(answers, nothing, strict=True)
    ]
    return spans, np.array(scores)


def test_they_agree_with_the_model_on_this_backend(saved_model, litert):
    for report in (saved_model, litert):
        assert report.agrees
        assert report.largest_difference < 1e-4


def test_the_saved_model_says_what_the_pipeline_says(signatures, answerer):
    spans, scores = serve(signatures, QUESTIONS, CONTEXTS)

    expected, shares = expected_of(answerer, QUESTIONS, CONTEXTS)
    assert spans == expected
    assert_close(scores, shares, 1e-4)
    assert 0 < spans.count(("", -1, -1)) < len(spans)  # some have none
    assert serve(signatures, [], [])[1].shape == (0,)


@pytest.mark.parametrize("name", ["serving_default", "best"])
def test_a_context_of_any_length_is_read_in_the_pipelines_windows(
    signatures, answerer, name
):
    sizes = answerer.max_length, answerer.stride
    windowed = context_windows(answerer.tokenizer, QUESTIONS, LONG, *sizes)
    counts = [len(one.windows) for one in windowed]
    assert counts[0] == 1 and sum(counts) > 32 and len(set(counts)) > 3, counts

    spans, scores = serve(signatures, QUESTIONS, LONG, name)

    if name == "best":
        best = [best for (best,) in answerer.n_best(QUESTIONS, LONG, 1)]
        expected, shares = [one[:3] for one in best], [one.score for one in best]
        ends = [one.offsets[one.windows[0].num_tokens - 1, 1] for one in windowed]
        assert any(start >= end for (_, start, _), end in zip(expected, ends))
    else:
        expected, shares = expected_of(answerer, QUESTIONS, LONG)
    assert spans == expected
    assert_close(scores, shares, 1e-4)
    alone, score = serve(signatures, QUESTIONS[3:4], LONG[3:4], name)
    assert alone == spans[3:4]
    assert_close(score, scores[3:4])


def test_best_is_the_likeliest_span_whatever_the_threshold(signatures, answerer):
    spans, scores = serve(signatures, QUESTIONS, CONTEXTS, "best")

    expected = [best for (best,) in answerer.n_best(QUESTIONS, CONTEXTS, 1)]
    assert spans == [best[:3] for best in expected]
    assert_close(scores, [best.score for best in expected], 1e-4)


def test_names_and_tokenizer_lie_beside(litert):
    about = json.loads(litert.path.with_suffix(".json").read_text("utf-8"))

    assert strange_ops(litert.path.read_bytes()) == set()
    assert litert.path.with_suffix(".tokenizer.model").exists()
    assert about["signatures"] == ["extract"]
    assert about["logits"] == {"shape": [1, "tokens", 2], "dtype": "float32"}
    assert (about["segment_ids"], about["max_length"], about["stride"]) == (
        True,
        67,
        None,
    )
    assert (about["max_answer_length"], about["threshold"]) == (3, 1.0)
    assert about["tokenizer"]["kind"] == "sentencepiece"


def test_litert_alone_gives_the_logits_of_a_long_context_window_by_window(
    litert, answerer
):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(litert.path)).get_signature_runner("extract")
    tokenizer = answerer.tokenizer
    windowed = context_windows(tokenizer, ["who"], ["中文 🙂 " * 9], 67, 20)
    arrays = window_arrays(tokenizer, windowed)
    assert len(arrays["token_ids"]) > 1

    for row in range(len(arrays["token_ids"])):
        given = {name: array[row : row + 1] for name, array in arrays.items()}
        found = runner(**given)["logits"]
        expected = np.asarray(answerer.model.predict_on_batch(given))
        assert_close(found, expected, 1e-4)


def check_script(path, answerer, questions, contexts):
    """The script of saved_models/README.md answers what the pipeline does."""
    given = [text for pair in zip(questions, contexts, strict=True) for text in pair]

    lines = run_script("answer_litert.py", BLOCKED, path, given, most_lines=75)

    spans, scores = expected_of(answerer, questions, contexts)
    said = [f"{start}:{end} {text}" if text else NONE for text, start, end in spans]
    found, answers = zip(*(line.split(" ", 1) for line in lines), strict=True)
    assert list(answers) == said
    assert_close([float(one) for one in found], scores, 1e-3)
    return said


@pytest.mark.once
def test_the_script_in_the_readme_runs_without_tensorflow_and_keras(litert, answerer):
    questions = ["who", "Returns the sum", "谁？", "Returns the", "a ▁\x1b b"]
    contexts = ["中文 🙂 " * 9, "Returns the sum of two values. " * 6, "the"]
    contexts += ["a value pass", "▁▁▁\x1b of 字 再"]

    said = check_script(litert.path, answerer, questions, contexts)

    # In the last window; above none, but by too little; behind a space of its token.
    assert said[1:4] == ["159:166 rns the", NONE, "2:7 value"]
    with pytest.raises(AssertionError, match="both must hold some text"):
        run_script("answer_litert.py", BLOCKED, litert.path, ["who", " "], 75)


@pytest.mark.slow
@pytest.mark.once
def test_the_script_reads_a_pretrained_tokenizer_and_a_stride(tmp_path):
    options = {"max_length": 19, "stride": 5, "no_answer": False}
    answerer = make_question_answerer(pretrained_tokenizer(), 1, **options)
    report = export_litert(answerer, tmp_path / "a.tflite")
    contexts = [*CONTEXTS[:2], "É 中\u3000文 🙂, the summing" * 9, " Returns the sum. "]

    check_script(report.path, answerer, QUESTIONS[:2] * 2, contexts)


@pytest.mark.slow
@pytest.mark.once
def test_the_other_way_round(tmp_path):
    answerer = make_question_answerer(
        pretrained_tokenizer(), num_segments=1, no_answer=False
    )
    answerer.stride = 9
    saved_model = export_saved_model(answerer, tmp_path / "a")
    litert = export_litert(answerer, tmp_path / "a.tflite", "dynamic_int8")

    assert saved_model.agrees
    for signatures in loaded_signatures(saved_model.path):
        for contexts in (CONTEXTS, LONG):
            spans, scores = serve(signatures, QUESTIONS, contexts)
            expected, shares = expected_of(answerer, QUESTIONS, contexts)
            assert spans == expected
            assert_close(scores, shares, 1e-4)
    assert (tmp_path / "a.tokenizer.json").exists()
    assert litert.largest_difference > 0


@pytest.mark.slow
@pytest.mark.once
def test_lstms_answer_as_well(tmp_path):
    answerer = make_question_answerer(lstm=True, no_answer=False)
    saved_model = export_both(answerer, tmp_path, 1e-4)

    for signatures in loaded_signatures(saved_model.path):
        for contexts in (CONTEXTS, LONG):
            spans, scores = serve(signatures, QUESTIONS, contexts)
            expected, shares = expected_of(answerer, QUESTIONS, contexts)
            assert spans == expected
            assert len(set(spans)) > 2
            assert_close(scores, shares, 1e-4)


def test_exports_are_held_to_a_context_of_several_windows_too(tmp_path):
    for options in ({"max_length": 67}, {"max_length": 31, "stride": 9}):
        answerer = make_question_answerer(**options)

        expected = reference(answerer, tmp_path)

        given = expected["questions"], expected["contexts"]
        given = [[as_bytes(text) for text in side] for side in given]
        windowed = context_windows(answerer.tokenizer, *given, *options.values())
        counts = [len(one.windows) for one in windowed]
        assert set(counts[:-1]) == {1} and counts[-1] >= 3
        rows = [window.token_ids for one in windowed for window in one.windows]
        assert expected["inputs"]["token_ids"] == rows
        assert len(expected["logits"]) == len(rows)
        assert len(expected["choices"]) == len(windowed)
        best = answerer.n_best(*given, 1)[-1][0]
        assert expected["choices"][-1][0][:3] == list(best[:3])


def test_a_file_of_one_segment_takes_none():
    answerer = make_question_answerer(num_segments=0)
    names = {"token_ids", "padding_mask", "context_mask"}
    if keras.backend.backend() == "tensorflow":
        arguments = litert_signatures(answerer)["extract"].structured_input_signature
        assert set(arguments[1]) == names
    assert set(reference(answerer, None)["inputs"]) == names


# ----------------------------------------------------------------------- errors


def test_what_cannot_be_exported_is_refused(tmp_path):
    answerer = make_question_answerer(max_length=5)
    with pytest.raises(ValueError, match="of a few tokens must fit the pipeline"):
        reference(answerer, tmp_path)
    answerer = make_question_answerer()
    answerer.model.head.bias.assign([np.nan] * 2)
    with pytest.raises(ValueError, match="logits must be finite to be exported. Recei"):
        reference(answerer, tmp_path)


CHECKED = {"largest_difference": 1e-7, "greedy_agreement": 0.5, "finite": True}
CHECKED |= {"furthest": "中", "agrees": True, "answers": [["坏", 0, 1, 0.5]]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"largest_difference": 2e-4}, "scores must be within 0.0001.*'中'"),
        ({"largest_difference": math.nan}, "scores must be within 0.0001"),
        ({"finite": False}, "scores must be within 0.0001"),
        ({"agrees": False}, "must give the answer that the model does.*'坏'"),
    ],
)
def test_a_saved_model_that_disagrees_is_refused(changes, message):
    assert refuse(CHECKED, {}) == 0.5
    with pytest.raises(ExportError, match=message):
        refuse({**CHECKED, **changes}, {})
