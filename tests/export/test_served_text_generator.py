"""The graphs of a text generator: what their arguments are called."""

import keras
import pytest

from keras_lm.export.served_text_generator import (
    ServedGenerator,
    state_arrays,
    step_signatures,
)
from tests.export.conftest import PROMPTS


def test_the_state_is_named_by_its_path(pipeline):
    arrays = state_arrays(pipeline.model)

    assert {name: tuple(array.shape) for name, array in arrays.items()} == {
        "state_clock_index": (),
        "state_clock_length": (1,),
        "state_clock_visible": (1, 61),
        "state_rows_0_key": (1, 2, 61, 6),
        "state_rows_0_value": (1, 2, 61, 6),
        "state_rows_1_key": (1, 2, 61, 6),
        "state_rows_1_value": (1, 2, 61, 6),
    }


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a TensorFlow graph"
)
def test_graphs_answer_before_they_are_written(pipeline):
    # Eagerly: the exported graphs have tests of their own.
    served = ServedGenerator(pipeline)
    answered = served.serve(PROMPTS)["generated_text"].numpy()
    steps = step_signatures(pipeline.model)

    assert [text.decode("utf-8") for text in answered] == pipeline(PROMPTS)
    assert list(steps) == ["prefill", "decode"]
    placed, named = steps["decode"].structured_input_signature
    assert [argument.name for argument in placed] == ["token_ids"]
    assert set(named) == set(state_arrays(pipeline.model))
