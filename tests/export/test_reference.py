"""What the model answers: the numbers that exports are held to."""

import numpy as np
import pytest

from keras_lm.export.reference import PROBES, reference
from keras_lm.pipelines import TextGenerator
from tests.checks import assert_close
from tests.export.conftest import make_pipeline


@pytest.fixture(scope="module")
def expected(pipeline, tmp_path_factory):
    return reference(pipeline, tmp_path_factory.mktemp("work"))


def test_probes_that_do_not_fit_are_left_out(pipeline, expected):
    assert set(expected["prompts"]) < set(PROBES)
    assert "" in expected["prompts"]
    longest = max(map(len, expected["token_ids"]))
    assert longest <= pipeline.model.max_sequence_length


def test_texts_and_log_likelihoods_are_the_pipelines(pipeline, expected):
    prompts = [one.encode("utf-8", "surrogateescape") for one in expected["prompts"]]

    assert expected["greedy_texts"] == pipeline(prompts)
    assert_close(expected["log_likelihoods"], pipeline.score(prompts), 1e-4)
    lengths = np.array(expected["prompt_lengths"])
    np.testing.assert_array_equal(expected["num_tokens"], lengths - 1)


def test_continuations_are_the_best_tokens(pipeline, expected):
    logits = np.load(expected["logits_path"])
    for row, tokens, length, margin in zip(
        logits, expected["token_ids"], expected["prompt_lengths"], expected["margins"]
    ):
        best = row[length - 1 : len(tokens) - 1].argmax(axis=-1)
        stop = pipeline.tokenizer.separator_id
        ended = tokens.index(stop, length) if stop in tokens[length:] else len(tokens)
        assert best.tolist()[: ended - length] == tokens[length:ended]
        assert margin > 0


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
