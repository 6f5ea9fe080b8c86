"""What the model answers: the pipeline's own words and scores."""

import json
import math

import keras
import numpy as np
import pytest

from keras_lm import pipelines
from keras_lm.export.ctranslate2_answers import answers_of
from keras_lm.export.reference import PROBES
from tests.export.test_ctranslate2_settings import TOKENIZER, make_translator
from tests.fakes import random_weights

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def translator():
    translator = make_translator()
    random_weights(translator.model, 3)
    return pipelines.TextToText(translator.model, TOKENIZER, TOKENIZER, 9)


def as_bytes(text):
    return text.encode("utf-8", "surrogateescape")


def test_a_translator_says_what_its_pipeline_says(translator, tmp_path):
    answers = answers_of(translator, tmp_path)

    texts = [as_bytes(text) for text in answers["texts"]]
    assert json.loads(json.dumps(answers)) == answers
    assert answers["texts"] == list(PROBES)
    assert answers["max_new_tokens"] == 9
    found = [TOKENIZER.decode(row) for row in answers["greedy"]]
    assert found == translator(texts, beam_size=1)
    assert len(set(found)) > 3
    assert answers["margins"][0] == math.inf
    assert all(margin > 0 for margin in answers["margins"])


def test_pairs_have_the_pipelines_scores(translator, tmp_path):
    answers = answers_of(translator, tmp_path)

    texts = [as_bytes(text) for text in PROBES]
    expected = translator.score(texts[1:], texts[:-1])
    np.testing.assert_allclose(answers["log_likelihoods"][5:], expected, rtol=1e-5)
    counts = [len(target) + 1 for _, target in answers["scored"]]
    assert answers["num_tokens"] == counts


def test_a_generator_says_what_its_pipeline_says(pipeline, tmp_path):
    answers = answers_of(pipeline, tmp_path)

    texts = [as_bytes(text) for text in answers["texts"]]
    found = [pipeline.tokenizer.decode(row) for row in answers["greedy"]]
    assert found == pipeline(texts)
    np.testing.assert_allclose(
        answers["log_likelihoods"], pipeline.score(texts), rtol=1e-4, atol=1e-6
    )
    assert [len(row[0]) for row in answers["scored"]] == answers["num_tokens"]


def test_texts_that_do_not_fit_are_left_out(translator, tmp_path):
    narrow = pipelines.TextToText(
        translator.model, TOKENIZER, TOKENIZER, 2, max_source_length=12
    )
    narrowest = pipelines.TextToText(
        translator.model, TOKENIZER, TOKENIZER, 2, max_source_length=2
    )

    assert 1 < len(answers_of(narrow, tmp_path)["texts"]) < len(PROBES)
    with pytest.raises(ValueError, match="A text must fit the pipeline"):
        answers_of(narrowest, tmp_path)


def test_logits_that_are_not_finite_are_refused(tmp_path):
    broken = make_translator()
    kernel = broken.model.decoder_norm.gamma
    kernel.assign(keras.ops.full(kernel.shape, np.nan))

    with pytest.raises(ValueError, match="logits must be finite to be exported"):
        answers_of(broken, tmp_path)
