"""Which pipelines can be exported, and that each kind says all that it must."""

import keras
import pytest

from keras_lm import pipelines, text
from keras_lm.export.kinds import KINDS, kind_of
from tests.export.conftest import TEXTS
from tests.export.test_chat_generator_kind import make_chat
from tests.export.test_question_answerer_kind import make_question_answerer
from tests.export.test_text_classifier_kind import make_text_classifier
from tests.export.test_text_embedder_kind import make_embedder
from tests.export.test_token_tagger_kind import make_tagger
from tests.export.test_word_sense_kind import make_sense

SAYS = ["reference", "refuse", "saved_model_signatures", "litert_signatures"]
SAYS += ["litert_description"]


@pytest.fixture(scope="module")
def every(pipeline, translator, classifier):
    """A pipeline of each kind, by the name of its module."""
    tokenizer = text.train_tokenizer(TEXTS * 5, 310)
    return {
        "text_generator_kind": pipeline,
        "chat_generator_kind": make_chat(tokenizer),
        "text_to_text_kind": translator,
        "stream_classifier_kind": classifier,
        "text_embedder_kind": make_embedder(tokenizer),
        "text_classifier_kind": make_text_classifier(),
        "token_tagger_kind": make_tagger(),
        "question_answerer_kind": make_question_answerer(),
        "word_sense_kind": make_sense(tokenizer),
    }


def test_a_pipeline_has_its_kind(every):
    for name, one in every.items():
        assert kind_of(one).__name__.endswith(f".{name}")


def test_every_pipeline_has_a_kind_that_says_all(every):
    classes = {getattr(pipelines, n) for n in pipelines.__all__ if n[0].isupper()}

    assert set(KINDS) == classes - {pipelines.TextIndex}  # an embedder's, no model
    assert {type(one) for one in every.values()} == set(KINDS)
    for one in every.values():
        assert kind_of(one).CHECKER.is_file()
        assert all(callable(getattr(kind_of(one), name)) for name in SAYS)


def test_what_is_no_pipeline_is_refused():
    with pytest.raises(TypeError, match="TextClassifier, .*WordSense or Stream"):
        kind_of(keras.Sequential())
