"""BayesianAttention: are its doubts worth more when the speaker is a stranger?

Protocol, fixed before the first run. Data: FSDD, spoken digits, 8 kHz, as 32 frames of
20 log-mel bands (windows of 32 ms every 20 ms; longer clips are cut, shorter ones
padded and masked; each band standardised by the training clips).

- training: speakers jackson, lucas, nicolas (the first three by name), digits 0 to 7,
  takes 5 to 24: 480 clips, 30 epochs, Adam 1e-3, batches of 32;
- unseen speakers: theo, yweweler, digits 0 to 7, all 50 takes: 800 clips;
- in-distribution: the training speakers, digits 0 to 7, takes 0 to 4: 120 clips;
- unseen classes: the training speakers, digits 8 and 9, all takes: 300 clips.

Models: two blocks of self-attention (4 heads of 16) and feed-forward (128), width 64,
learned positions, mean over the frames. Deterministic: `MultiHeadAttention`.
Monte-Carlo dropout: the same with 0.2 on the attention weights, in prediction too.
Bayesian: `BayesianAttention` with its defaults. Everything else is the same; seeds 0 to
3, all of which count; 16 samples. Expected calibration error (ECE) over 10 bins of
confidence.

Not claimed, since it was not so in the first prototypes: better calibration on the
training speakers, or better detection of unseen classes.
"""

import io
import tarfile
import wave
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from benchmarks.claim import Claim
from keras_lm.layers import BayesianAttention, FeedForward, MultiHeadAttention
from keras_lm.training import predict_mc

SEEDS = (0, 1, 2, 3)
KNOWN, STRANGERS = ("jackson", "lucas", "nicolas"), ("theo", "yweweler")
NUM_CLASSES = 8  # digits 8 and 9 are left out
NUM_FRAMES, NUM_BANDS = 32, 20
HIDDEN_DIM, NUM_HEADS, INTERMEDIATE_DIM = 64, 4, 128
EPOCHS, BATCH_SIZE, NUM_SAMPLES = 30, 32, 16
LAYER = "BayesianAttention"
CLAIMS = (
    "ECE on unseen speakers, mean of 4 seeds, at most 0.85 x deterministic",
    "NLL on unseen speakers lower in at least 3 of 4 seeds",
    "ECE on unseen speakers, mean of 4 seeds, below Monte-Carlo dropout's",
    "mutual information on unseen classes at least 2 x in-distribution",
)


class Clips(NamedTuple):
    """A split: log-mel `(N, 32, 20)`, real frames `(N, 32)`, digits `(N,)`."""

    frames: np.ndarray
    real: np.ndarray
    digits: np.ndarray

    @property
    def inputs(self):
        """What the models take."""
        return [self.frames, self.real]


def run(data):
    """Trains three models a seed and gives the claims.

    Args:
        data: folder that holds `fsdd`, or `None`.

    Returns:
        list of `Claim`.
    """
    folder = None if data is None else data / "fsdd"
    if folder is None or not folder.is_dir():
        told = "needs --data with the folder fsdd"
        return [Claim(LAYER, claim, told, "-", None) for claim in CLAIMS]
    splits = read_splits(folder)
    found = {name: [] for name in ("deterministic", "dropout", "bayesian")}
    for seed in SEEDS:
        for name, results in found.items():
            results.append(measure(name, seed, splits))
            print(f"seed {seed} {name:14}", told_of(results[-1]), flush=True)
    return judge(found)


def judge(found):
    """The claims, from the results of each model, a seed at a time."""
    ece, nll, ratio = (
        {name: [one[key] for one in results] for name, results in found.items()}
        for key in ("shift_ece", "shift_nll", "mi_ratio")
    )
    mean_ece = {name: np.mean(values) for name, values in ece.items()}
    better = sum(a < b for a, b in zip(nll["bayesian"], nll["deterministic"]))
    mean_ratio = np.mean(ratio["bayesian"])
    holds = (
        mean_ece["bayesian"] <= 0.85 * mean_ece["deterministic"],
        better >= 3,
        mean_ece["bayesian"] < mean_ece["dropout"],
        mean_ratio >= 2,
    )
    rows = (
        (ece["bayesian"], "deterministic", ece["deterministic"]),
        (nll["bayesian"], "deterministic", nll["deterministic"]),
        (ece["bayesian"], "MC dropout", ece["dropout"]),
        (ratio["bayesian"], "MC dropout", ratio["dropout"]),
    )
    return [
        Claim(LAYER, claim, listed(ours), f"{name} {listed(theirs)}", bool(verdict))
        for claim, (ours, name, theirs), verdict in zip(CLAIMS, rows, holds)
    ]


def measure(name, seed, splits):
    """Trains one model and measures it on the three test splits."""
    keras.utils.set_random_seed(seed)
    model = build_model(name)
    train = splits["train"]
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        train.inputs, train.digits, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0
    )
    predict = {"deterministic": once, "dropout": by_dropout, "bayesian": by_noise}[name]
    shift, _ = predict(model, splits["shift"])
    inside, inside_mi = predict(model, splits["inside"])
    classes, classes_mi = predict(model, splits["classes"])
    digits = splits["shift"].digits
    return {
        "shift_accuracy": accuracy(shift, digits),
        "shift_nll": nll(shift, digits),
        "shift_ece": ece(shift, digits),
        "inside_accuracy": accuracy(inside, splits["inside"].digits),
        "inside_ece": ece(inside, splits["inside"].digits),
        "inside_mi": inside_mi,
        "mi_ratio": classes_mi / inside_mi if inside_mi > 0 else float("nan"),
        "auroc": auroc(entropy(classes), entropy(inside)),
    }


def build_model(name):
    """A classifier `(B, 32, 20), (B, 32) -> (B, 8)` logits."""
    frames = keras.Input((NUM_FRAMES, NUM_BANDS))
    real = keras.Input((NUM_FRAMES,), dtype="bool")
    hidden = keras.layers.Dense(HIDDEN_DIM)(frames)
    places = ops.cumsum(ops.ones_like(real, dtype="int32"), axis=1) - 1  # (B, 32)
    hidden = hidden + keras.layers.Embedding(NUM_FRAMES, HIDDEN_DIM)(places)
    for _ in range(2):
        normal = keras.layers.LayerNormalization()(hidden)
        hidden = hidden + attention(name)(normal, normal, value_mask=real)
        normal = keras.layers.LayerNormalization()(hidden)
        hidden = hidden + FeedForward(INTERMEDIATE_DIM)(normal)
    hidden = keras.layers.LayerNormalization()(hidden)
    counted = ops.expand_dims(ops.cast(real, "float32"), -1)
    pooled = ops.sum(hidden * counted, axis=1) / ops.sum(counted, axis=1)
    return keras.Model([frames, real], keras.layers.Dense(NUM_CLASSES)(pooled))


def attention(name):
    """The layer that the models differ in."""
    sizes = {"num_heads": NUM_HEADS, "key_dim": HIDDEN_DIM // NUM_HEADS}
    if name == "bayesian":
        return BayesianAttention(**sizes)
    return MultiHeadAttention(**sizes, dropout=0.2 if name == "dropout" else 0.0)


# Each gives the probabilities `(N, 8)` and the mean mutual information, nats.


def once(model, clips):
    """One prediction: nothing is random, so no samples disagree."""
    return softmax(model.predict(clips.inputs, verbose=0)), 0.0


def by_noise(model, clips):
    """The mean over samples of the attention's noise."""
    found = predict_mc(model, clips.inputs, NUM_SAMPLES, batch_size=200)
    return found.probabilities, float(found.mutual_information.mean())


def by_dropout(model, clips):
    """The mean over samples of the dropout."""
    noisy = AlwaysTraining(model)
    samples = np.stack(
        [
            softmax(noisy.predict(clips.inputs, batch_size=200, verbose=0))
            for _ in range(NUM_SAMPLES)
        ]
    )
    mean = samples.mean(axis=0)
    return mean, float((entropy(mean) - entropy(samples).mean(axis=0)).mean())


class AlwaysTraining(keras.Model):
    """A model whose dropout stays on."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, inputs):
        return self.model(inputs, training=True)


def softmax(logits):
    """Probabilities, float64."""
    powers = np.exp(logits.astype("float64") - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def entropy(probabilities):
    """Over the last axis, nats."""
    return -np.sum(probabilities * np.log(probabilities + 1e-300), axis=-1)


def accuracy(probabilities, digits):
    """Fraction right."""
    return float(np.mean(probabilities.argmax(axis=-1) == digits))


def nll(probabilities, digits):
    """Mean negative log-likelihood, nats."""
    return float(-np.mean(np.log(probabilities[np.arange(len(digits)), digits])))


def ece(probabilities, digits, num_bins=10):
    """Mean distance of confidence and accuracy, over bins of confidence."""
    confidence = probabilities.max(axis=-1)
    right = probabilities.argmax(axis=-1) == digits
    bins = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    gaps = (
        abs(np.sum(confidence[bins == b]) - np.sum(right[bins == b]))
        for b in range(num_bins)
    )
    return float(sum(gaps) / len(digits))


def auroc(positive, negative):
    """How often a score of `positive` is above one of `negative`; ties count half."""
    above = positive[:, None] > negative[None]
    same = positive[:, None] == negative[None]
    return float(above.mean() + same.mean() / 2)


def read_splits(folder):
    """The four splits of the protocol, as `Clips`."""
    clips = {
        name: read_speaker(folder / f"recordings_{name}.tar.xz")
        for name in (*KNOWN, *STRANGERS)
    }
    chosen = {
        "train": (KNOWN, range(8), range(5, 25)),
        "shift": (STRANGERS, range(8), range(50)),
        "inside": (KNOWN, range(8), range(5)),
        "classes": (KNOWN, (8, 9), range(50)),
    }
    waves, digits = {}, {}
    for split, (speakers, some_digits, takes) in chosen.items():
        keys = [(s, d, t) for s in speakers for d in some_digits for t in takes]
        waves[split] = [clips[speaker][digit, take] for speaker, digit, take in keys]
        digits[split] = np.array([digit for _, digit, _ in keys])
    features = {split: log_mel(some) for split, some in waves.items()}
    frames, real = features["train"]
    mean, std = frames[real].mean(axis=0), frames[real].std(axis=0)
    return {
        split: Clips(
            ((frames - mean) / std * real[..., None]).astype("float32"),
            real,
            digits[split],
        )
        for split, (frames, real) in features.items()
    }


def read_speaker(path):
    """All clips of a speaker: `(digit, take)` to samples, -1 to 1."""
    clips = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if not member.name.endswith(".wav"):
                continue
            digit, _, take = member.name.rsplit("/", 1)[-1][:-4].split("_")
            with wave.open(io.BytesIO(archive.extractfile(member).read())) as clip:
                samples = np.frombuffer(clip.readframes(clip.getnframes()), "<i2")
            clips[int(digit), int(take)] = samples.astype("float32") / 32768
    return clips


def log_mel(waves, window=256, hop=160):
    """Log-mel bands `(N, 32, 20)` and which frames are real `(N, 32)`."""
    length = (NUM_FRAMES - 1) * hop + window
    padded = np.zeros((len(waves), length), "float32")
    real = np.zeros((len(waves), NUM_FRAMES), bool)
    for row, samples in enumerate(waves):
        samples = samples[:length]
        padded[row, : len(samples)] = samples
        real[row, : max(1, 1 + (len(samples) - window) // hop)] = True
    places = hop * np.arange(NUM_FRAMES)[:, None] + np.arange(window)
    spectrum = np.fft.rfft(padded[:, places] * np.hanning(window))  # (N, 32, 129)
    bands = np.abs(spectrum) ** 2 @ mel_filters(window)
    return np.log(bands + 1e-6), real


def mel_filters(window, rate=8000):
    """Triangles that are evenly spaced in mel, `(window / 2 + 1, 20)`."""
    highest = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, NUM_BANDS + 2) / 2595) - 1)
    hertz = np.linspace(0, rate / 2, window // 2 + 1)[:, None]
    up = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(up, down))


def told_of(result):
    """One line of numbers."""
    return ", ".join(f"{name} {value:.4f}" for name, value in result.items())


def listed(values):
    """The mean, then each seed."""
    return f"{np.mean(values):.3f} ({' / '.join(f'{v:.3f}' for v in values)})"
