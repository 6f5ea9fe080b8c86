"""What the model answers: the numbers that exports are held to."""

import numpy as np
import pytest
from keras import ops

from keras_lm.export import export_ctranslate2, export_litert, export_saved_model
from keras_lm.export.export_error import ExportError
from keras_lm.export.reference import (
    FOLLOWED,
    PROBES,
    answers_to,
    real_tokens,
    reference,
    refuse_not_finite,
)
from keras_lm.models import TransformerDecoder
from keras_lm.pipelines import TextGenerator
from tests.checks import assert_close
from tests.export.conftest import make_pipeline
from tests.text.samples import gpt2_tokenizer


@pytest.fixture(scope="module")
def expected(pipeline, tmp_path_factory):
    return reference(pipeline, tmp_path_factory.mktemp("work"))


def test_probes_that_do_not_fit_are_left_out(pipeline, expected):
    assert set(expected["prompts"]) < set(PROBES)
    assert "" in expected["prompts"]
    longest = max(map(len, expected["token_ids"]))
    assert longest <= pipeline.model.max_sequence_length


@pytest.mark.slow_elsewhere
def test_texts_and_log_likelihoods_are_the_pipelines(pipeline, expected):
    prompts = [one.encode("utf-8", "surrogateescape") for one in expected["prompts"]]

    assert expected["greedy_texts"] == pipeline(prompts)
    for nats, tokens, length in zip(
        expected["log_likelihoods"], expected["token_ids"], expected["prompt_lengths"]
    ):
        logits = ops.convert_to_numpy(pipeline.model(np.array([tokens])))[0]
        told = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        real = sum(told[n - 1, tokens[n]] for n in range(1, length))
        assert_close(nats, real, 1e-4)
    lengths = np.array(expected["prompt_lengths"])
    np.testing.assert_array_equal(expected["num_tokens"], lengths - 1)


def test_continuations_are_the_best_tokens(pipeline, expected):
    logits = np.load(expected["logits_path"])
    best = logits.argmax(axis=-1).tolist()
    for tokens, length, margin in zip(
        expected["token_ids"], expected["prompt_lengths"], expected["margins"]
    ):
        new, best = best[: len(tokens) - length], best[len(tokens) - length :]
        stop = pipeline.tokenizer.separator_id
        ended = tokens.index(stop, length) if stop in tokens[length:] else len(tokens)
        assert new[: ended - length] == tokens[length:ended]
        assert margin > 0
    assert best == []


def test_no_more_logits_than_of_one_row_are_there_at_once(
    pipeline, tmp_path, monkeypatch
):
    shapes = []
    call = type(pipeline.model).__call__

    def seen(self, token_ids, **settings):
        shapes.append(tuple(token_ids.shape))
        return call(self, token_ids, **settings)

    monkeypatch.setattr(type(pipeline.model), "__call__", seen)
    starts = [[pipeline.tokenizer.separator_id] * n for n in (1, 20, 7)]

    found = answers_to(pipeline, starts, tmp_path)

    assert shapes and max(rows for rows, _ in shapes) == 1
    new = sum(map(len, found["token_ids"])) - sum(map(len, starts))
    told = np.load(found["logits_path"])
    assert told.shape == (new, pipeline.model.vocabulary_size)


@pytest.mark.slow_elsewhere
def test_a_margin_is_that_of_the_whole_text(pipeline, tmp_path):
    # Further than LiteRT is followed: a text may also differ there.
    greedy = TextGenerator(pipeline.model, pipeline.tokenizer, FOLLOWED + 9)
    stop = pipeline.tokenizer.separator_id

    expected = reference(greedy, tmp_path)

    for tokens, length, margin in zip(
        expected["token_ids"], expected["prompt_lengths"], expected["margins"]
    ):
        tokens, leads = tokens[:length], []
        for _ in range(FOLLOWED + 9):
            row = np.zeros((1, pipeline.model.max_sequence_length), "int32")
            row[0, : len(tokens)] = tokens  # of one length: nothing compiles anew
            logits = ops.convert_to_numpy(pipeline.model(row))[0, len(tokens) - 1]
            tokens = [*tokens, int(logits.argmax())]
            second, first = np.sort(logits)[-2:]
            leads.append(first - second)
            if tokens[-1] == stop:
                break
        assert len(leads) > FOLLOWED or tokens[-1] == stop
        assert_close(margin, min(leads), 1e-4)


def test_a_pipeline_that_never_fits_is_refused(pipeline, tmp_path):
    model, tokenizer = pipeline.model, pipeline.tokenizer
    greedy = TextGenerator(model, tokenizer, max_new_tokens=61)

    with pytest.raises(ValueError, match="`max_new_tokens` must be below the model's"):
        reference(greedy, tmp_path)


def test_logits_that_are_not_finite_are_refused(tmp_path):
    broken = make_pipeline()
    broken.model.final_norm.gamma.assign(np.full(24, np.nan, "float32"))

    with pytest.raises(ValueError, match="logits must be finite to be exported"):
        reference(broken, tmp_path)


@pytest.mark.once
def test_rows_without_padding():
    real = np.array([[True, True, False], [True, False, False]])
    arrays = {"token_ids": np.array([[5, 6, 0], [7, 0, 0]]), "padding_mask": real}

    rows = {"token_ids": [[5, 6], [7]], "padding_mask": [[True, True], [True]]}
    assert real_tokens(arrays) == rows
    assert real_tokens(arrays, ["token_ids"]) == {"token_ids": rows["token_ids"]}


@pytest.mark.once
def test_numbers_that_are_none_are_counted_in_all_arrays():
    refuse_not_finite("logits", [np.zeros(2), np.zeros((0, 3))])

    with pytest.raises(ValueError, match="must be finite .* Received: 2 numbers"):
        refuse_not_finite("logits", [np.array([np.nan, 1.0]), np.array([[-np.inf]])])


@pytest.mark.once
def test_a_tokenizer_that_is_no_graph_is_refused(tmp_path):
    tokenizer = gpt2_tokenizer()
    model = TransformerDecoder(tokenizer.vocabulary_size, 1, 1, 2, 3, 40)
    pipeline = TextGenerator(model, tokenizer, max_new_tokens=2)

    for export in (export_saved_model, export_litert, export_ctranslate2):
        with pytest.raises(ExportError, match="must be a SentencePieceTokenizer"):
            export(pipeline, tmp_path / "model.tflite")
    assert not any(tmp_path.iterdir())
