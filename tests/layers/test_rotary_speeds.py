"""Speeds of rotary positions: cases by hand, what scalings leave alone, errors."""

import math

import numpy as np
import pytest

from keras_lm.layers.rotary_speeds import check_rotary_scaling, rotary_speeds
from tests.checks import assert_close

pytestmark = pytest.mark.once

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 4096,
}


def test_without_a_scaling():
    speeds, gain = rotary_speeds(4, 100.0)

    assert_close(speeds, [1.0, 0.1])
    assert gain == 1.0


def test_linear_slows_all_down():
    speeds, gain = rotary_speeds(4, 100.0, {"rope_type": "linear", "factor": 5.0})

    assert_close(speeds, [0.2, 0.02])
    assert gain == 1.0


def test_llama3_in_three_ranges():
    # Llama 3.1's own numbers: pairs turn 8192 speed / (2 pi) times.
    plain, _ = rotary_speeds(128, 500_000.0)
    scaled, gain = rotary_speeds(128, 500_000.0, LLAMA3)
    turns = 8192 * plain / (2 * math.pi)

    assert gain == 1.0
    assert_close(scaled[turns > 4], plain[turns > 4], tolerance=1e-12)
    assert_close(scaled[turns < 1], plain[turns < 1] / 8, tolerance=1e-12)
    between = (turns > 1) & (turns < 4)
    assert between.sum() > 3
    shares = (turns[between] - 1) / 3
    expected = plain[between] * (shares + (1 - shares) / 8)
    assert_close(scaled[between], expected, tolerance=1e-12)


def test_yarn_in_three_ranges():
    plain, _ = rotary_speeds(64, 10_000.0)
    scaled, gain = rotary_speeds(64, 10_000.0, YARN)
    turns = 4096 * plain / (2 * math.pi)

    assert gain == pytest.approx(0.1 * math.log(4.0) + 1)
    kept = (scaled / plain - 1 / 4) / (3 / 4)
    first, last = np.argmax(kept < 1 - 1e-9) - 1, np.argmax(kept < 1e-9)
    # Whole pairs around the ones that turn 32 times and once, and a line between.
    assert turns[first] >= 32 > turns[first + 1]
    assert turns[last] <= 1 < turns[last - 1]
    assert_close(
        np.diff(kept[first : last + 1]), [-1 / (last - first)] * (last - first)
    )


def test_yarn_with_settings_of_its_own():
    _, gain = rotary_speeds(64, 10_000.0, YARN | {"attention_factor": 1.5})
    narrow, _ = rotary_speeds(64, 10_000.0, YARN | {"beta_slow": 8, "beta_fast": 9})
    plain, _ = rotary_speeds(64, 10_000.0)

    assert gain == 1.5
    assert set(np.round(narrow / plain, 6)) == {1.0, 0.25, 0.625}


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ({}, "`rope_type` must be one of"),
        ({"rope_type": "dynamic", "factor": 2.0}, "Received: rope_type='dynamic'"),
        ({"rope_type": "linear"}, r"must have factor. Received: .* without \['factor'"),
        ({"rope_type": "linear", "factor": 0.0}, "`factor` must be above 0"),
        ({"rope_type": "linear", "factor": "8"}, "above 0. Received: factor='8'"),
        (YARN | {"truncate": False}, r"with \['truncate'\]"),
        (
            LLAMA3 | {"low_freq_factor": 4.0},
            "`high_freq_factor` must be above `low_fre",
        ),
    ],
)
def test_other_scalings_are_refused(scaling, message):
    with pytest.raises(ValueError, match=message):
        check_rotary_scaling(scaling)


@pytest.mark.parametrize("scaling", ["linear", 2.0, ["rope_type"]])
def test_what_is_no_dictionary_is_refused(scaling):
    with pytest.raises(TypeError, match="must be a dictionary with a `rope_type`. Rec"):
        check_rotary_scaling(scaling)
