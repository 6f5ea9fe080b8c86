"""The graphs of a translator, before they are written."""

import keras
import pytest

from keras_lm.export.served_text_to_text import ServedTextToText
from keras_lm.pipelines import TextToText
from tests.export.conftest import PROMPTS
from tests.fakes import SumModel, random_weights
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a TensorFlow graph"
)


@pytest.mark.slow
def test_graphs_answer_before_they_are_written(translator):
    served = ServedTextToText(translator, beam_size=3)

    answered = served.serve(PROMPTS)["answer"].numpy()

    expected = translator(PROMPTS, beam_size=3)
    assert [text.decode("utf-8") for text in answered] == expected


def test_they_say_which_answers_ended():
    model = SumModel(TOKENIZER.vocabulary_size, TOKENIZER.vocabulary_size)
    random_weights(model, seed=1)
    kernel, bias = model.output_layer.get_weights()
    bias[TOKENIZER.separator_id] = 5.0
    model.output_layer.set_weights([kernel, bias])
    pipeline = TextToText(model, TOKENIZER, TOKENIZER, max_new_tokens=1)

    served = ServedTextToText(pipeline, beam_size=4)
    found = served.n_best(PROMPTS, 1)

    expected = pipeline.n_best(PROMPTS, 4, beam_size=4)
    for row, wanted in zip(found["finished"].numpy().tolist(), expected, strict=True):
        ended = [answer.finished for answer in wanted]
        assert row == ended + [False] * (4 - len(ended))
    ended = [answer.finished for answer in expected[0]]  # of a text that is not empty
    assert True in ended and False in ended
