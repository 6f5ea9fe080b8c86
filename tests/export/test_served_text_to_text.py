"""The graphs of a translator, before they are written."""

import keras
import pytest

from keras_lm.export.served_text_to_text import ServedTextToText
from tests.export.conftest import PROMPTS


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a TensorFlow graph"
)
def test_graphs_answer_before_they_are_written(translator):
    served = ServedTextToText(translator, beam_size=3)

    answered = served.serve(PROMPTS)["answer"].numpy()

    expected = translator(PROMPTS, beam_size=3)
    assert [text.decode("utf-8") for text in answered] == expected
