"""AudioEmbedding: its shapes, its steps and mask, its configuration, its errors."""

import keras
import numpy as np
import pytest

from keras_lm.layers import AudioEmbedding
from tests.checks import assert_close, outputs_of

rng = np.random.default_rng(seed=0)
WAVEFORM = rng.normal(size=(2, 500)).astype("float32")
SIZES = {"sampling_rate": 8000, "num_mel_bins": 11, "frame_length": 64}
SIZES |= {"frame_step": 24, "frames_per_step": 4}


def make_layer(**changes):
    return AudioEmbedding(hidden_dim=6, **{**SIZES, **changes})


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("frames_per_step", [1, 3, 4])
def test_steps_hold_whole_numbers_of_frames(frames_per_step):
    # 500 // 24 + 1 = 21 frames.
    hidden, real = make_layer(frames_per_step=frames_per_step)(WAVEFORM)
    num_steps = -(-21 // frames_per_step)
    assert tuple(hidden.shape) == (2, num_steps, 6)
    assert_close(real, np.ones((2, num_steps)))


def test_a_step_is_real_where_one_of_its_frames_is():
    # Frames are centred at 0, 24, ..: of 300 samples, 13 are real, so steps 0 to 3 are.
    sample_mask = np.arange(500)[None] < np.array([[300], [0]])
    layer = make_layer()

    hidden, real = outputs_of(layer(WAVEFORM, sample_mask))
    louder, _ = outputs_of(layer(np.where(sample_mask, WAVEFORM, 9.0), sample_mask))

    assert_close(real, [[1, 1, 1, 1, 0, 0], [0] * 6])
    assert_close(louder, hidden, tolerance=0)


def test_a_step_of_sound_is_a_dense_layer_over_local_frames():
    layer = make_layer()
    hidden = outputs_of(layer(WAVEFORM))[0]
    frames = outputs_of(layer.log_mel(WAVEFORM))[0]
    local = outputs_of(layer.local(np.pad(frames, ((0, 0), (0, 3), (0, 0)))))[0]
    kernel, bias = layer.projection.get_weights()
    from keras import ops

    for step in range(6):
        joined = np.einsum("bfd,fde->be", local[:, 4 * step : 4 * step + 4], kernel)
        gelu = ops.gelu(ops.convert_to_tensor((joined + bias).astype("float32")), False)
        place = outputs_of(layer.positions)[0][step]
        assert_close(hidden[:, step], outputs_of(gelu)[0] + place)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_near(policy):
    layer, mixed = make_layer(), make_layer(dtype=policy)
    expected, _ = outputs_of(layer(WAVEFORM))
    mixed(WAVEFORM)
    mixed.set_weights(layer.get_weights())

    hidden, _ = mixed(WAVEFORM)

    assert keras.backend.standardize_dtype(hidden.dtype) == policy.removeprefix(
        "mixed_"
    )
    assert (
        np.abs(outputs_of(hidden)[0] - expected).max() < 0.03 * np.abs(expected).max()
    )


def test_the_configuration_makes_it_again():
    layer = make_layer()
    copy = AudioEmbedding.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    layer(WAVEFORM), copy(WAVEFORM)
    copy.set_weights(layer.get_weights())
    assert_close(copy(WAVEFORM)[0], layer(WAVEFORM)[0], tolerance=0)


@pytest.mark.parametrize("name", ["hidden_dim", "frames_per_step"])
def test_a_size_below_one_is_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1"):
        AudioEmbedding(**{**SIZES, "hidden_dim": 6, name: 0})


def test_an_unknown_number_of_samples_is_refused():
    with pytest.raises(ValueError, match="The number of samples must be known"):
        make_layer().build((None, None))
