"""Draws what each attention layer sees: `python docs/draw_attention.py [FOLDER]`.

The layers themselves say it: each is called on a short sequence and asked for its
weights. Rows are queries, columns keys; white is a weight of 0.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib
import numpy as np

from keras_lm import layers
from keras_lm.layers.masks import Visibility

matplotlib.use("Agg")
from matplotlib import pyplot as plt

FOLDER = Path(__file__).parent / "pictures"
LENGTH, WIDTH = 24, 16
rng = np.random.default_rng(seed=0)
HIDDEN = rng.normal(size=(1, LENGTH, WIDTH)).astype("float32")
REAL = np.arange(LENGTH)[None] < 20  # the last four positions are padding


def weights_of(layer, **options):
    """The weights of the first head, `(T, S)`."""
    weights = layer(HIDDEN, HIDDEN, return_attention_scores=True, **options)[1]
    return keras.ops.convert_to_numpy(weights)[0, 0]


def draw(name, panels):
    """One picture with a panel for each `title -> weights (T, S)`."""
    figure, axes = plt.subplots(
        1, len(panels), figsize=(2.6 * len(panels), 2.9), layout="constrained"
    )
    for axis, (title, weights) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        axis.imshow(weights**0.5, cmap="Blues", vmin=0, vmax=1)
        axis.set_title(title, fontsize=9)
        axis.set_xticks([]), axis.set_yticks([])
        axis.set_xlabel("keys", fontsize=8), axis.set_ylabel("queries", fontsize=8)
    figure.savefig(FOLDER / f"{name}.png", dpi=90, metadata={"Software": None})
    plt.close(figure)


def causal_padded_whole(make):
    """A layer causal, causal with padding, and seeing both ways."""
    layer = make()
    return {
        "causal": weights_of(layer, use_causal_mask=True),
        "causal, 4 padded": weights_of(layer, use_causal_mask=True, value_mask=REAL),
        "both ways": weights_of(layer),
    }


def multi_head():
    """Every query sees every key before it, or all."""
    draw("multi_head", causal_padded_whole(lambda: layers.MultiHeadAttention(2, 8)))


def local():
    """A window, and global tokens."""
    layer = layers.LocalAttention(2, 8, window=6)
    with_global = layers.LocalAttention(2, 8, window=6, num_global_tokens=2)
    panels = {
        "window 6, causal": weights_of(layer, use_causal_mask=True),
        "and 2 global tokens": weights_of(with_global, use_causal_mask=True),
        "both ways": weights_of(with_global),
    }
    draw("local", panels)


def regional():
    """Near tokens one by one, far regions as a whole."""
    layer = layers.RegionalAttention(2, 8, region_size=4, neighbors=1)
    draw("regional", causal_padded_whole(lambda: layer))


def dynamic():
    """What the best of ever more keys gets, beside plain attention: who fades."""
    # Figure 1 of the SSMax paper: every score is -2, one is 3.
    plain, ssmax = layers.MultiHeadAttention(1, 1), layers.DynamicAttention(1, 1)
    one = keras.ops.ones((1, 1, 1))
    plain(one, one), ssmax(one, one)
    ssmax.slope.assign([0.43])
    everything = Visibility()
    figure, axis = plt.subplots(figsize=(5, 2.9), layout="constrained")
    lengths = 2 ** np.arange(4, 13)
    for layer, label in ((plain, "plain softmax"), (ssmax, "0.43 log n (ssmax)")):
        best = []
        for length in lengths:
            keys = np.full((1, 1, length, 1), -2, "float32")
            keys[..., 0, :] = 3
            keys = keras.ops.convert_to_tensor(keys)
            weights = layer.weigh(one[None], keys, keys, everything, False)[1]
            best.append(keras.ops.convert_to_numpy(weights)[0, 0, 0, 0])
        axis.plot(lengths, best, label=label)
    axis.set_xscale("log", base=2)
    axis.set_xlabel("visible keys", fontsize=8)
    axis.set_ylabel("weight of the best key", fontsize=8)
    axis.legend(fontsize=8)
    figure.savefig(FOLDER / "dynamic.png", dpi=90, metadata={"Software": None})
    plt.close(figure)


def bayesian():
    """The same input three times in training: the weights are drawn."""
    layer = layers.BayesianAttention(2, 8)
    panels = {"at inference": weights_of(layer, use_causal_mask=True)}
    for number in (1, 2):
        drawn = weights_of(layer, use_causal_mask=True, training=True)
        panels[f"drawn, {number}"] = drawn
    draw("bayesian", panels)


def multimodal():
    """Ten words read an image of eight patches and six frames of sound."""
    streams = {
        "text": HIDDEN[:, :10],
        "image": HIDDEN[:, 10:18],
        "sound": HIDDEN[:, 18:],
    }
    fused = {
        fusion: layers.MultimodalAttention(2, 8, list(streams), fusion)
        for fusion in ("cross", "bottleneck")
    }

    def read(fusion, present=None):
        answer = fused[fusion](streams, present=present, return_attention_scores=True)
        return keras.ops.convert_to_numpy(answer[1]["read"]["text"])[0, 0]

    panels = {
        "cross: image, sound": read("cross"),
        "no sound": read("cross", {"sound": np.array([False])}),
        "bottleneck: text, latents": read("bottleneck"),
    }
    draw("multimodal", panels)


def recurrent():
    """Twelve queries of a decoder look at a source of 24, and three ways of Luong's."""
    source, query = HIDDEN, HIDDEN[:, :12]
    panels = {"Bahdanau": layers.BahdanauAttention(WIDTH)}
    for local_kind in (None, "monotonic", "predictive"):
        panels[f"Luong, {local_kind or 'global'}"] = layers.LuongAttention(
            WIDTH, "general", local=local_kind, window=3
        )
    for title, layer in panels.items():
        weights = layer(query, source, return_attention_scores=True)[1]
        panels[title] = keras.ops.convert_to_numpy(weights)[0, 0]
    draw("recurrent", panels)


def convolution():
    """The taps of a dynamic convolution, laid out where they look; and pooling."""
    size = 5
    layer = layers.DynamicConvolution(2, kernel_size=size)
    taps = layer(HIDDEN, return_attention_scores=True)[1]
    taps = keras.ops.convert_to_numpy(taps)[0, 0]  # (T, k): the last tap is t itself
    weights = np.zeros((LENGTH, LENGTH))
    for t, tap in np.ndindex(*taps.shape):
        if t - (size - 1) + tap >= 0:
            weights[t, t - (size - 1) + tap] = taps[t, tap]
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)  # all are in the picture
    pooling = layers.AttentionPooling(num_heads=4, units=WIDTH)
    pooled = pooling(HIDDEN, padding_mask=REAL, return_attention_scores=True)[1]
    panels = {
        "kernel size 5, causal": weights,
        "pooling, 4 heads, 4 padded": keras.ops.convert_to_numpy(pooled)[0],
    }
    draw("convolution", panels)


def main():
    """Draws all of them."""
    global FOLDER
    FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    FOLDER.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    for picture in (multi_head, local, regional, dynamic, bayesian):
        picture()
    for picture in (multimodal, recurrent, convolution):
        picture()


if __name__ == "__main__":
    main()
