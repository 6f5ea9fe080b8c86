"""RotaryEmbedding: its contract, its formula, relative positions, its errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.layers import RotaryEmbedding
from tests import reference
from tests.checks import assert_close, check_layer

rng = np.random.default_rng(seed=0)
INPUTS = rng.normal(size=(2, 3, 5, 8)).astype("float32")  # (B, H, T, D)
POSITION_IDS = np.array([[0, 0, 1, 2, 3], [4, 9, 2, 7, 1]], "int32")


def test_layer_contract():
    check_layer(
        RotaryEmbedding(wavelength=100.0),
        inputs={"inputs": INPUTS, "position_ids": POSITION_IDS},
        output_shapes=(2, 3, 5, 8),
    )


def test_layer_contract_with_a_scaling():
    scaling = {"rope_type": "yarn", "factor": 4.0}
    scaling["original_max_position_embeddings"] = 20
    check_layer(
        RotaryEmbedding(wavelength=100.0, scaling=scaling),
        inputs={"inputs": INPUTS, "position_ids": POSITION_IDS},
        output_shapes=(2, 3, 5, 8),
    )


def test_a_scaling_slows_the_turns_down():
    slow = RotaryEmbedding(scaling={"rope_type": "linear", "factor": 2.0})

    assert_close(
        slow(INPUTS, 2 * POSITION_IDS), RotaryEmbedding()(INPUTS, POSITION_IDS)
    )


def test_a_case_done_by_hand():
    # The first pair turns by one radian a place, whatever the wavelength.
    cos, sin = np.cos(1.0), np.sin(1.0)
    inputs = np.array([[[[2.0, 3.0]]]], "float32")

    turned = RotaryEmbedding(wavelength=1.0)(inputs, np.array([[1]]))

    assert_close(turned, [[[[2 * cos - 3 * sin, 3 * cos + 2 * sin]]]])


@pytest.mark.parametrize("wavelength", [10_000.0, 50.0])
def test_equal_to_a_loop(wavelength):
    turned = RotaryEmbedding(wavelength)(INPUTS, POSITION_IDS)

    assert_close(turned, reference.rotate(INPUTS, POSITION_IDS, wavelength))


def test_no_positions_means_one_after_the_other():
    rotary = RotaryEmbedding()

    assert_close(rotary(INPUTS), rotary(INPUTS, np.arange(5)[None]))
    assert_close(rotary(INPUTS)[:, :, 0], INPUTS[:, :, 0])  # place 0 turns nothing


def test_products_depend_on_the_distance_only():
    rotary = RotaryEmbedding()
    query, key = INPUTS[:1, :1, :1], INPUTS[1:, :1, :1]
    products = [
        ops.sum(rotary(query, np.array([[q]])) * rotary(key, np.array([[q - 3]])))
        for q in (3, 10, 41)
    ]

    assert_close(products[1], products[0])
    assert_close(products[2], products[0])


def test_lengths_of_pairs_stay():
    turned = ops.convert_to_numpy(RotaryEmbedding()(INPUTS, POSITION_IDS))

    lengths = np.hypot(INPUTS[..., :4], INPUTS[..., 4:])
    assert_close(np.hypot(turned[..., :4], turned[..., 4:]), lengths)


def test_angles_are_exact_in_float16():
    # Places beyond 2,048 have no float16 number of their own: the angle needs float32.
    places = np.array([[4_095, 4_096, 4_097, 5_001, 6_001]])
    exact = reference.rotate(INPUTS, np.repeat(places, 2, axis=0))

    turned = RotaryEmbedding(dtype="float16")(INPUTS, places)

    assert_close(turned, exact, tolerance=5e-3)


@pytest.mark.parametrize("wavelength", [0.0, -1.0, float("nan"), "9", None])
def test_a_wavelength_that_is_not_above_zero_is_refused(wavelength):
    with pytest.raises(ValueError, match="`wavelength` must be above 0"):
        RotaryEmbedding(wavelength)


def test_an_unknown_scaling_is_refused():
    with pytest.raises(ValueError, match="`rope_type` must be one of"):
        RotaryEmbedding(scaling={"rope_type": "longrope"})


@pytest.mark.once
@pytest.mark.parametrize("wavelength", [1.0, 0.5])
def test_yarn_needs_pairs_of_different_speeds(wavelength):
    yarn = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 8}
    with pytest.raises(ValueError, match="'yarn' `wavelength` must be above 1, for"):
        RotaryEmbedding(wavelength, yarn)


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="The width of a head must be even"):
        RotaryEmbedding()(np.ones((2, 3, 5, 7)))
