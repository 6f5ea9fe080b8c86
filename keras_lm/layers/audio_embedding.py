"""Sound as a row of vectors: log-mel frames, a convolution, a few frames each."""

import keras
from keras import ops

from keras_lm.layers.log_mel_spectrogram import LogMelSpectrogram


@keras.saving.register_keras_serializable(package="keras_lm")
class AudioEmbedding(keras.layers.Layer):
    """Turns a waveform into vectors, one for every few frames, with their places.

        frames   = LogMelSpectrogram(waveform)
        local    = gelu(Conv(frames))                   3 frames wide
        hidden_t = gelu(W [local of its frames]) + p_t

    Differs from Whisper's, which has sines for places and overlaps its second
    convolution: here steps share no frames, so that a step is real or is not.

    Shapes: `B` batch, `N` samples, `T` steps, `D` hidden width.

    Args:
        hidden_dim: int, at least 1, `D`.
        sampling_rate: int, samples per second.
        num_mel_bins: int. See `LogMelSpectrogram`.
        frame_length: int, samples.
        frame_step: int, samples.
        frames_per_step: int, at least 1. Frames that share a vector.

    Call arguments:
        waveform: float `(B, N)`, always of one length.
        sample_mask: bool `(B, N)` or `None`. `True` = a real sample.

    Returns:
        `(hidden, step_mask)`: float `(B, T, D)` and bool `(B, T)`, `True` where one of
        the step's frames is real. `T = ceil((N // frame_step + 1) / frames_per_step)`.

    Raises:
        ValueError: a size is below 1, or the number of samples is not known.

    Example:
        >>> embed = AudioEmbedding(hidden_dim=16, sampling_rate=8000)
        >>> hidden, real = embed(keras.random.normal((2, 4000)))
        >>> tuple(hidden.shape), tuple(real.shape)
        ((2, 16, 16), (2, 16))

    Source: https://arxiv.org/abs/2212.04356, section 2.2.
    """

    def __init__(
        self,
        hidden_dim,
        sampling_rate,
        num_mel_bins=40,
        frame_length=256,
        frame_step=128,
        frames_per_step=2,
        **kwargs,
    ):
        sizes = {"hidden_dim": hidden_dim, "frames_per_step": frames_per_step}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={size}"
                )
        super().__init__(**kwargs)
        self.autocast = False  # float16 samples would be too coarse for the logarithm
        self.hidden_dim = hidden_dim
        self.frames_per_step = frames_per_step
        self.log_mel = LogMelSpectrogram(
            sampling_rate,
            num_mel_bins,
            frame_length,
            frame_step,
            dtype="float32",
            name="log_mel",
        )
        self.local, self.projection = (
            keras.layers.Conv1D(
                hidden_dim,
                width,
                strides=stride,
                padding=padding,
                activation="gelu",
                data_format="channels_last",
                dtype=self.dtype_policy,
                name=name,
            )
            for name, width, stride, padding in (
                ("local", 3, 1, "same"),
                ("projection", frames_per_step, frames_per_step, "valid"),
            )
        )

    def build(self, waveform_shape, sample_mask_shape=None):
        num_samples = waveform_shape[1]
        if not num_samples:
            raise ValueError(
                "The number of samples must be known. "
                f"Received: waveform of shape {waveform_shape}"
            )
        self.num_frames = num_samples // self.log_mel.frame_step + 1
        self.num_steps = -(-self.num_frames // self.frames_per_step)
        self.local.build((None, None, self.log_mel.num_mel_bins))
        self.projection.build((None, None, self.hidden_dim))
        self.positions = self.add_weight(
            shape=(self.num_steps, self.hidden_dim),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="positions",
        )

    def call(self, waveform, sample_mask=None):
        frames, real = self.log_mel(
            waveform, sample_mask
        )  # (B, frames, F), (B, frames)
        missing = self.num_steps * self.frames_per_step - self.num_frames
        frames = ops.pad(frames, ((0, 0), (0, missing), (0, 0)))
        real = ops.pad(ops.cast(real, "int32"), ((0, 0), (0, missing)))
        hidden = self.projection(self.local(frames))  # (B, T, D)
        hidden = hidden + ops.cast(self.positions, hidden.dtype)
        steps = ops.reshape(real, (-1, self.num_steps, self.frames_per_step))
        return hidden, ops.max(steps, axis=-1) > 0

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "sampling_rate": self.log_mel.sampling_rate,
            "num_mel_bins": self.log_mel.num_mel_bins,
            "frame_length": self.log_mel.frame_length,
            "frame_step": self.log_mel.frame_step,
            "frames_per_step": self.frames_per_step,
        }
