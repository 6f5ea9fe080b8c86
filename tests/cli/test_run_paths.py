"""run_paths: what the demo makes carries its corpus' name."""

from pathlib import Path

import pytest

from keras_lm.cli.run_paths import demo_name, demo_pipeline

pytestmark = pytest.mark.once


def test_the_demo_is_named_after_its_corpus():
    assert demo_name(None) == "docstring_lm"
    assert demo_name(Path("texts") / "猫.txt") == "猫_lm"
    made = Path("made")
    assert demo_pipeline(made, Path("texts")) == made / "texts_lm_pipeline"
