"""Every attention that has a name is exported and agrees; what does not is refused."""

import inspect
import math

import pytest

from keras_lm.export import ExportError, export_litert, export_saved_model
from keras_lm.export.reference import reference
from keras_lm.export.text_generator_kind import refuse
from keras_lm.layers.choose_attention import ATTENTIONS
from tests.export.conftest import make_pipeline

# So small that the prompts are many times longer than what a layer sees at once.
SMALL = {"window": 5, "num_global_tokens": 2, "region_size": 4, "train_length": 8}


def small_layer(name):
    """The layer of a short name, whatever of `SMALL` it knows."""
    layer = ATTENTIONS[name]
    known = inspect.signature(layer.__init__).parameters
    settings = {key: SMALL[key] for key in SMALL if key in known}
    return layer(num_heads=4, key_dim=6, rotary_wavelength=100.0, **settings)


def pipeline_with(*names):
    # The layers alternate: a list must divide the number of blocks.
    attention = [small_layer(name) for name in names]
    return make_pipeline(130, num_layers=max(len(names), 2), attention=attention)


@pytest.fixture(scope="module")
def every_kind():
    return pipeline_with(*ATTENTIONS)


@pytest.mark.slow_elsewhere
def test_prompts_are_long_and_of_many_lengths(every_kind, tmp_path):
    expected = reference(every_kind, tmp_path)

    lengths = expected["prompt_lengths"]
    assert max(lengths) > 8 * max(SMALL["window"], SMALL["region_size"])
    assert len(set(lengths)) > 3  # so a batch of them is padded on the left
    assert len(set(expected["greedy_texts"])) > 3


# In `make test` the one that allows least: builtin operations, arrays of one size.
@pytest.mark.parametrize(
    "export",
    [
        pytest.param(export_saved_model, marks=pytest.mark.slow),
        pytest.param(export_litert, marks=pytest.mark.slow_elsewhere),
    ],
)
def test_a_model_that_alternates_all_attentions_agrees(every_kind, tmp_path, export):
    report = export(every_kind, tmp_path / "all.tflite")

    assert report.agrees
    assert report.largest_difference < 1e-4


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("export", [export_saved_model, export_litert])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_a_model_of_each_attention_agrees(name, tmp_path, export):
    report = export(pipeline_with(name), tmp_path / f"{name}.tflite")

    assert report.agrees
    assert report.largest_difference < 1e-4


# ----------------------------------------------------------------------- errors

CHECKED = {
    "largest_difference": 1e-7,
    "greedy_agreement": 0.5,
    "finite": True,
    "equal": [True, False],
    "greedy_texts": ["one", "two"],
}
EXPECTED = {"margins": [0.2, 1e-6], "greedy_texts": ["one", "three"]}


def test_a_text_may_differ_where_two_tokens_are_as_good():
    assert refuse(CHECKED, EXPECTED) == 0.5


@pytest.mark.parametrize(
    ("changes", "margins", "words"),
    [
        ({}, [0.2, 0.2], "must continue a text as the model does"),
        ({"largest_difference": 2e-3}, [0.2, 1e-6], "must agree with the model to"),
        ({"finite": False}, [0.2, 1e-6], "must agree with the model to"),
        ({"largest_difference": math.nan}, [0.2, 1e-6], "must agree with the model"),
    ],
)
def test_a_saved_model_that_disagrees_is_refused(changes, margins, words):
    expected = {**EXPECTED, "margins": margins}

    with pytest.raises(ExportError, match=words):
        refuse({**CHECKED, **changes}, expected)
