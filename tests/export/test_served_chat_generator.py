"""The graphs of a chat generator, before they are written."""

import keras
import pytest
import tensorflow as tf

from keras_lm import text
from keras_lm.export.served_chat_generator import ServedChat
from tests.checks import assert_close
from tests.export.conftest import TEXTS
from tests.export.test_chat_generator_kind import TALKS, make_chat
from tests.export.test_graph_chat import arrays_of


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a TensorFlow graph"
)
def test_graphs_answer_before_they_are_written():
    # Eagerly: the exported graphs have tests of their own.
    chat = make_chat(text.train_tokenizer(TEXTS * 5, 310))
    served = ServedChat(chat)

    answered = served.serve(*arrays_of(TALKS))["reply"].numpy()
    scored = served.score(*arrays_of(TALKS[:-1]))

    assert [reply.decode("utf-8") for reply in answered] == chat(TALKS)
    assert_close(scored["log_likelihood"], chat.score(TALKS[:-1]), 1e-4)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"to score.*in conversation\D*4"
    ):
        served.score(*arrays_of(TALKS))
