"""LogMelSpectrogram: NumPy's Fourier transform, its mask, its independence, errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import LogMelSpectrogram
from tests.checks import assert_close, outputs_of

rng = np.random.default_rng(seed=0)
RATE, BINS, LENGTH, STEP = 8000, 11, 64, 24
WAVEFORM = rng.normal(size=(2, 500)).astype("float32")
REAL = np.arange(500)[None] < np.array([[500], [310]])


def make_layer(**changes):
    arguments = {"num_mel_bins": BINS, "frame_length": LENGTH, "frame_step": STEP}
    return LogMelSpectrogram(RATE, **{**arguments, **changes})


def mel_matrix():
    """Triangles on the mel scale, `2595 log10(1 + f / 700)`, without frequency 0."""

    def mel(hertz):
        return 2595 * np.log10(1 + np.asarray(hertz) / 700)

    edges = np.linspace(mel(20.0), mel(RATE / 2), BINS + 2)
    matrix = np.zeros((LENGTH // 2 + 1, BINS))
    for row in range(1, LENGTH // 2 + 1):
        at = mel(row * RATE / LENGTH)
        for bin_ in range(BINS):
            low, middle, high = edges[bin_ : bin_ + 3]
            rising, falling = (at - low) / (middle - low), (high - at) / (high - middle)
            matrix[row, bin_] = max(0.0, min(rising, falling))
    return matrix


def by_numpy(samples, num_real):
    """Log-mel frames of one example, a frame at a time, in float64."""
    samples = np.where(np.arange(len(samples)) < num_real, samples, 0.0)
    mirrored = np.pad(samples.astype("float64"), LENGTH // 2, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(LENGTH) / LENGTH)
    frames, real = [], []
    for centre in range(0, len(samples) + 1, STEP):
        spectrum = np.fft.rfft(mirrored[centre : centre + LENGTH] * window)
        frames.append(np.log(np.abs(spectrum) ** 2 @ mel_matrix() + 1e-6))
        real.append(min(centre, len(samples) - 1) < num_real)
    real = np.array(real)
    known = np.array(frames)[real]
    frames = (frames - known.mean()) / np.sqrt(known.var() + 1e-5)
    return frames * real[:, None], real


def test_it_equals_numpy():
    log_mel, real = outputs_of(make_layer()(WAVEFORM, REAL))

    assert log_mel.shape == (2, 500 // STEP + 1, BINS)
    for row, num_real in enumerate((500, 310)):
        frames, frames_real = by_numpy(WAVEFORM[row], num_real)
        assert_close(real[row], frames_real)
        assert_close(log_mel[row], frames, 1e-4)


@pytest.mark.parametrize("num_samples", [479, 480, 481])
def test_the_number_of_frames_is_as_said(num_samples):
    # 480 is 20 steps; Keras' own shape is one more than it gives just before that.
    layer, waveform = make_layer(), WAVEFORM[:, :num_samples]
    for given in (waveform, keras.Input((num_samples,))):
        log_mel, real = layer(given)
        assert log_mel.shape[1] == real.shape[1] == num_samples // STEP + 1


def test_what_is_masked_has_no_influence():
    layer = make_layer()
    before = outputs_of(layer(WAVEFORM, REAL))[0]
    after = outputs_of(layer(np.where(REAL, WAVEFORM, 100.0), REAL))[0]

    assert_close(after, before, tolerance=0)
    assert np.all(after[1, 310 // STEP + 1 :] == 0)


def test_an_example_does_not_depend_on_the_batch_nor_on_loudness():
    layer = make_layer()
    together = outputs_of(layer(WAVEFORM))[0]
    louder = np.stack([WAVEFORM[0], 50 * WAVEFORM[1]])

    assert_close(outputs_of(layer(louder))[0], together, 1e-4)
    assert_close(outputs_of(layer(WAVEFORM[1:]))[0], together[1:])


def test_silence_is_finite():
    log_mel, _ = layer_outputs = outputs_of(make_layer()(np.zeros((1, 200), "float32")))
    assert all(np.all(np.isfinite(array)) for array in layer_outputs)
    assert_close(log_mel, np.zeros(log_mel.shape), tolerance=0)


def test_it_counts_in_float32_under_every_policy():
    mixed = make_layer(dtype="mixed_float16")
    log_mel, _ = mixed(WAVEFORM)
    assert keras.backend.standardize_dtype(log_mel.dtype) == "float32"
    assert_close(log_mel, make_layer()(WAVEFORM)[0], 1e-6)


def test_the_configuration_makes_it_again():
    layer = make_layer()
    copy = LogMelSpectrogram.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert_close(copy(WAVEFORM)[0], layer(ops.convert_to_tensor(WAVEFORM))[0], 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling_rate": 0}, "`sampling_rate` must be at least 1"),
        ({"num_mel_bins": 0}, "`num_mel_bins` must be at least 1"),
        ({"frame_length": 1}, "`frame_length` must be at least 2"),
        ({"frame_step": 0}, "`frame_step` from 1 to it"),
        ({"frame_step": 65}, "`frame_step` from 1 to it"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    arguments = {"sampling_rate": RATE, "frame_length": LENGTH, "frame_step": STEP}
    with pytest.raises(ValueError, match=message):
        LogMelSpectrogram(**{**arguments, **changes})
