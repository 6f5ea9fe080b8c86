"""Sound as a picture: how loud each pitch is at each time, as an ear hears it."""

import keras
from keras import ops

SILENCE = 1e-6


@keras.saving.register_keras_serializable(package="keras_lm")
class LogMelSpectrogram(keras.layers.Layer):
    """The logarithm of the energy in each mel band of each frame, standardised.

        power = |Fourier(window frame_t)|^2                     by
        mel   = power M                                         `MelSpectrogram`
        out   = (log(mel / 1e-6 + 1) - mean) / deviation        over an example

    The 1e-6 keeps silence finite, and its logarithm exactly 0. Frame `t` is centred at
    sample `t * frame_step` (the ends are mirrored). Mean and deviation are those of the
    example's own real frames, so loudness and microphone cancel, and no example depends
    on the others: `keras.layers.MelSpectrogram` with `power_to_db=True`, which this
    layer avoids, cuts at a distance from the loudest of the whole batch. Computed in
    float32 whatever the policy.

    Shapes: `B` batch, `N` samples, `T` frames, `F` mel bands.

    Args:
        sampling_rate: int, samples per second.
        num_mel_bins: int, at least 1, `F`. Bands from 20 Hz to half the sampling rate.
        frame_length: int, at least 2, samples. Window and Fourier transform.
        frame_step: int, 1 to `frame_length`, samples from frame to frame.

    Call arguments:
        waveform: float `(B, N)`, best within -1 and 1.
        sample_mask: bool `(B, N)` or `None`. `True` = a real sample. Frames are real
            where the sample at their centre is.

    Returns:
        `(log_mel, frame_mask)`: float32 `(B, T, F)` with `T = N // frame_step + 1`, 0
        where a frame is not real; and bool `(B, T)`.

    Raises:
        ValueError: a size is not as above.

    Example:
        >>> log_mel = LogMelSpectrogram(8000, 40, frame_length=256, frame_step=128)
        >>> frames, real = log_mel(keras.random.normal((2, 4000)))
        >>> tuple(frames.shape), tuple(real.shape)
        ((2, 32, 40), (2, 32))

    Source: https://arxiv.org/abs/2104.01778, section 2.1 (as a Transformer's input).
    """

    def __init__(
        self, sampling_rate, num_mel_bins=40, frame_length=256, frame_step=128, **kwargs
    ):
        sizes = {"sampling_rate": sampling_rate, "num_mel_bins": num_mel_bins}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={size}"
                )
        if frame_length < 2 or not 1 <= frame_step <= frame_length:
            raise ValueError(
                "`frame_length` must be at least 2 and `frame_step` from 1 to it. "
                f"Received: frame_length={frame_length}, frame_step={frame_step}"
            )
        super().__init__(**{**kwargs, "autocast": False})
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.frame_length = frame_length
        self.frame_step = frame_step
        self.mel = keras.layers.MelSpectrogram(
            fft_length=frame_length,
            sequence_stride=frame_step,
            sampling_rate=sampling_rate,
            num_mel_bins=num_mel_bins,
            power_to_db=False,
            dtype="float32",
            name="mel",
        )

    def build(self, waveform_shape, sample_mask_shape=None):
        pass

    def call(self, waveform, sample_mask=None):
        waveform = ops.cast(waveform, "float32")
        if sample_mask is None:
            sample_mask = ops.ones(ops.shape(waveform), "bool")
        sample_mask = ops.cast(sample_mask, "bool")
        waveform = ops.where(sample_mask, waveform, 0.0)
        energy = ops.transpose(self.mel(waveform), (0, 2, 1))  # (B, T, F)
        # A frame more than steps: the last one is centred at the end.
        to_end = ops.concatenate([sample_mask, sample_mask[:, -1:]], axis=1)
        real = to_end[:, :: self.frame_step]  # (B, T)
        log_mel = ops.log(energy[:, : ops.shape(real)[1]] / SILENCE + 1.0)
        return self._standardise(log_mel, real), real

    def get_config(self):
        config = {
            **super().get_config(),
            "sampling_rate": self.sampling_rate,
            "num_mel_bins": self.num_mel_bins,
            "frame_length": self.frame_length,
            "frame_step": self.frame_step,
        }
        config.pop("autocast", None)
        return config

    def _standardise(self, log_mel, real):
        weights = ops.expand_dims(ops.cast(real, "float32"), -1)  # (B, T, 1)
        count = ops.maximum(ops.sum(weights, axis=(1, 2), keepdims=True), 1.0)
        count = count * self.num_mel_bins
        mean = ops.sum(log_mel * weights, axis=(1, 2), keepdims=True) / count
        centred = (log_mel - mean) * weights
        variance = ops.sum(centred * centred, axis=(1, 2), keepdims=True) / count
        return centred / ops.sqrt(variance + 1e-5)
