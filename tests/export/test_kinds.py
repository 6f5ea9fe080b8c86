"""Which pipelines can be exported, and that each kind says all that it must."""

import keras
import pytest

from keras_lm import pipelines, text
from keras_lm.export.kinds import KINDS, kind_of
from tests.export.conftest import TEXTS
from tests.export.test_question_answerer_kind import make_question_answerer
from tests.export.test_text_classifier_kind import make_text_classifier
from tests.export.test_text_embedder_kind import make_embedder

SAYS = ["reference", "refuse", "saved_model_signatures", "litert_signatures"]
SAYS += ["litert_description"]


@pytest.fixture(scope="module")
def embedder():
    return make_embedder(text.train_tokenizer(TEXTS * 5, 310))


@pytest.fixture(scope="module")
def of_texts():
    return make_text_classifier()


@pytest.fixture(scope="module")
def answerer():
    return make_question_answerer()


def test_a_pipeline_has_its_kind(
    pipeline, translator, classifier, embedder, of_texts, answerer
):
    assert kind_of(pipeline).__name__.endswith(".text_generator_kind")
    assert kind_of(translator).__name__.endswith(".text_to_text_kind")
    assert kind_of(classifier).__name__.endswith(".stream_classifier_kind")
    assert kind_of(embedder).__name__.endswith(".text_embedder_kind")
    assert kind_of(of_texts).__name__.endswith(".text_classifier_kind")
    assert kind_of(answerer).__name__.endswith(".question_answerer_kind")


def test_every_pipeline_has_a_kind_that_says_all(
    pipeline, translator, classifier, embedder, of_texts, answerer
):
    classes = {getattr(pipelines, n) for n in pipelines.__all__ if n[0].isupper()}

    assert set(KINDS) == classes
    for one in (pipeline, translator, classifier, embedder, of_texts, answerer):
        assert kind_of(one).CHECKER.is_file()
        assert all(callable(getattr(kind_of(one), name)) for name in SAYS)


def test_what_is_no_pipeline_is_refused():
    with pytest.raises(TypeError, match="TextClassifier, QuestionAnswerer or Stream"):
        kind_of(keras.Sequential())
