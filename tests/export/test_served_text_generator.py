"""The graphs of a text generator, before they are written."""

import keras
import pytest

from keras_lm.export.served_text_generator import ServedGenerator
from tests.export.conftest import PROMPTS


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a TensorFlow graph"
)
def test_graphs_answer_before_they_are_written(pipeline):
    # Eagerly: the exported graphs have tests of their own.
    served = ServedGenerator(pipeline)
    answered = served.serve(PROMPTS)["generated_text"].numpy()

    assert [text.decode("utf-8") for text in answered] == pipeline(PROMPTS)
