"""Luong, Bahdanau: can a decoder look back? DynamicConvolution: does it pay its way?

Protocol, fixed before the first run; seeds 0 to 2, all of which count.

Reversal. A source of 24 symbols out of 20, drawn at random, is to be written backwards.
LSTM encoder and decoder of width 64, embeddings of 32, teacher forcing, 1000 batches of
64 fresh sequences, Adam 3e-3. Without attention the decoder has the encoder's last
state only; `LuongAttention("general", output_dim=64)` and `BahdanauAttention(64)` (with
a dense layer of 64 over context and state) add a look at all of its states. Tested on
512 new sequences, decoded greedily with `step`, from the decoder's own symbols: the
share that is right in all 24 places. Alignment: the share of places `t` of the same
sequences, teacher forcing, at which the largest weight is that of `S - 1 - t`.

Characters. Causal language models of tinyshakespeare (the first 90 % train, the rest
tests), 2 blocks of width 96, 400 batches of 32 windows of 128, Adam 2e-3. Each block
mixes positions by `DynamicConvolution(4, 15)`, or by `LocalAttention(4, 24, window=15)`
with rotary positions, which sees the same 15 positions; all else is the same.

Cost. One forward pass of width 64, 4 heads, `DynamicConvolution` of 15 taps and causal
`MultiHeadAttention`: the exponent of time between 2048 and 16384 positions, and 8192.
"""

import time

import keras
import numpy as np
from keras import ops

from benchmarks.claim import Claim
from keras_lm.layers import (
    BahdanauAttention,
    DynamicConvolution,
    FeedForward,
    LocalAttention,
    LuongAttention,
    MultiHeadAttention,
)

SEEDS = (0, 1, 2)
NUM_SYMBOLS, LENGTH, START = 20, 24, 20
HIDDEN_DIM, EMBEDDING_DIM = 64, 32
STEPS, BATCH_SIZE, TESTED = 1000, 64, 512
TEXT_DIM, TEXT_LENGTH, TEXT_STEPS, TEXT_BATCH, TAPS = 96, 128, 400, 32, 15


def run(data):
    """Trains the models and gives the claims.

    Args:
        data: folder that holds `tinyshakespeare`, or `None`.

    Returns:
        list of `Claim`.
    """
    return [*reversal_claims(), *character_claims(data), cost_claim()]


# ---------------------------------------------------------------------- reversal


class Reverser(keras.Model):
    """LSTM encoder and decoder; `attention` is a layer or `None`."""

    def __init__(self, attention):
        super().__init__()
        self.embedding = keras.layers.Embedding(NUM_SYMBOLS + 1, EMBEDDING_DIM)
        options = {"return_sequences": True, "return_state": True}
        self.encoder = keras.layers.LSTM(HIDDEN_DIM, **options)
        self.decoder = keras.layers.LSTM(HIDDEN_DIM, **options)
        self.attention = attention
        self.hidden = keras.layers.Dense(HIDDEN_DIM, "tanh")
        self.output_projection = keras.layers.Dense(NUM_SYMBOLS)

    def call(self, inputs):
        source, before = inputs
        encoded, *state = self.encoder(self.embedding(source))
        decoded, *_ = self.decoder(self.embedding(before), initial_state=state)
        if self.attention is None:
            return self.predict_symbols(decoded)
        return self.predict_symbols(decoded, self.attention(decoded, encoded))

    def predict_symbols(self, decoded, attended=None):
        """Logits, from the decoder's states and what attention says."""
        if isinstance(self.attention, LuongAttention):
            return self.output_projection(attended)  # the attentional state
        if attended is not None:
            decoded = ops.concatenate([attended, decoded], axis=-1)
        return self.output_projection(self.hidden(decoded))

    def greedy(self, source):
        """The decoder's own symbols, one step at a time."""
        encoded, *state = self.encoder(self.embedding(source))
        memory = None if self.attention is None else self.attention.remember(encoded)
        symbol = np.full(len(source), START)
        written = []
        for _ in range(LENGTH):
            hidden, state = self.decoder.cell(self.embedding(symbol), state)
            hidden, attended = ops.expand_dims(hidden, 1), None
            if memory is not None:
                attended, _ = self.attention.step(hidden, memory)
            logits = self.predict_symbols(hidden, attended)
            symbol = ops.convert_to_numpy(ops.argmax(logits[:, 0], axis=-1))
            written.append(symbol)
        return np.stack(written, axis=1)

    def alignment(self, source, before):
        """The weights `(B, T, S)` under teacher forcing."""
        encoded, *state = self.encoder(self.embedding(source))
        decoded, *_ = self.decoder(self.embedding(before), initial_state=state)
        _, weights = self.attention(decoded, encoded, return_attention_scores=True)
        return ops.convert_to_numpy(weights)[:, 0]


def reversal_claims():
    """Exact matches and alignments of three decoders."""
    makers = {
        "none": lambda: None,
        "LuongAttention": lambda: LuongAttention(output_dim=HIDDEN_DIM),
        "BahdanauAttention": lambda: BahdanauAttention(HIDDEN_DIM),
    }
    exact, aligned = ({name: [] for name in makers} for _ in range(2))
    for seed in SEEDS:
        for name, make in makers.items():
            keras.utils.set_random_seed(seed)
            model = Reverser(make())
            draw = np.random.default_rng(seed)
            model.compile(
                keras.optimizers.Adam(3e-3),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )
            inputs, target = sequences(draw, STEPS * BATCH_SIZE)
            model.fit(inputs, target, batch_size=BATCH_SIZE, verbose=0)
            inputs, target = sequences(draw, TESTED)
            right = model.greedy(inputs[0]) == target
            exact[name].append(right.all(axis=1).mean())
            told = f"seed {seed} {name}: exact {exact[name][-1]:.3f}"
            told += f", symbols {right.mean():.3f}"
            if model.attention is not None:
                largest = model.alignment(*inputs).argmax(axis=-1)
                backwards = largest == LENGTH - 1 - np.arange(LENGTH)
                aligned[name].append(backwards.mean())
                told += f", anti-diagonal {aligned[name][-1]:.3f}"
            print(told, flush=True)
    baseline = f"no attention {listed(exact['none'])}"
    for name in list(makers)[1:]:
        holds = min(exact[name]) >= 0.9 and max(exact["none"]) <= 0.1
        yield Claim(
            name,
            "24 symbols reversed exactly, greedily: >= 0.9, without <= 0.1, each seed",
            listed(exact[name]),
            baseline,
            bool(holds),
        )
        yield Claim(
            name,
            "alignment anti-diagonal in >= 0.95 of the places, each seed",
            listed(aligned[name]),
            f"chance {1 / LENGTH:.3f}",
            bool(min(aligned[name]) >= 0.95),
        )


def sequences(draw, count):
    """`([source, decoder's input], target)`."""
    source = draw.integers(0, NUM_SYMBOLS, (count, LENGTH))
    target = source[:, ::-1]
    before = np.concatenate([np.full((count, 1), START), target[:, :-1]], axis=1)
    return [source, before], np.ascontiguousarray(target)


# -------------------------------------------------------------------- characters


def character_model(name, num_characters):
    """Two blocks of a mixer of positions and a feed-forward layer, normalised first."""
    token_ids = keras.Input((TEXT_LENGTH,), dtype="int32")
    hidden = keras.layers.Embedding(num_characters, TEXT_DIM)(token_ids)
    for _ in range(2):
        normal = keras.layers.LayerNormalization()(hidden)
        if name == "DynamicConvolution":
            hidden = hidden + DynamicConvolution(4, TAPS)(normal)
        else:
            mixer = LocalAttention(4, TEXT_DIM // 4, TAPS, rotary_wavelength=100.0)
            hidden = hidden + mixer(normal, normal, use_causal_mask=True)
        normal = keras.layers.LayerNormalization()(hidden)
        hidden = hidden + FeedForward(4 * TEXT_DIM)(normal)
    hidden = keras.layers.LayerNormalization()(hidden)
    return keras.Model(token_ids, keras.layers.Dense(num_characters)(hidden))


def character_claims(data):
    """Nats per character of the convolution, beside attention of the same reach."""
    path = None if data is None else data / "tinyshakespeare" / "input.txt"
    layer = "DynamicConvolution"
    claim = f"characters, {TAPS} positions seen: nats <= attention's in 2 of 3 seeds"
    if path is None or not path.exists():
        told = "needs --data with tinyshakespeare/input.txt"
        yield Claim(layer, claim, told, "-", None)
        return
    text = path.read_text("utf-8")
    known = sorted(set(text))
    ids = np.array([known.index(character) for character in text], "int32")
    train, test = np.split(ids, [int(0.9 * len(ids))])
    nats = {"DynamicConvolution": [], "LocalAttention": []}
    sizes = {}
    for seed in SEEDS:
        for name, losses in nats.items():
            keras.utils.set_random_seed(seed)
            model = character_model(name, len(known))
            sizes[name] = model.count_params()
            model.compile(
                keras.optimizers.Adam(2e-3),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )
            draw = np.random.default_rng(seed)
            starts = draw.integers(0, len(train) - TEXT_LENGTH, TEXT_STEPS * TEXT_BATCH)
            model.fit(*windows(train, starts), batch_size=TEXT_BATCH, verbose=0)
            starts = np.arange(0, len(test) - TEXT_LENGTH, TEXT_LENGTH)
            loss = model.evaluate(*windows(test, starts), batch_size=64, verbose=0)
            losses.append(loss)
            print(f"seed {seed} {name}: {loss:.4f} nats", flush=True)
    pairs = list(zip(nats[layer], nats["LocalAttention"], strict=True))
    yield Claim(
        layer,
        claim,
        f"{listed(nats[layer])} ({sizes[layer]:,} weights)",
        f"LocalAttention {listed(nats['LocalAttention'])} "
        f"({sizes['LocalAttention']:,} weights)",
        sum(ours <= theirs for ours, theirs in pairs) >= 2,
    )


def windows(ids, starts):
    """`(inputs, targets)`, the next character of each."""
    places = starts[:, None] + np.arange(TEXT_LENGTH + 1)
    return ids[places[:, :-1]], ids[places[:, 1:]]


# -------------------------------------------------------------------------- cost


def cost_claim():
    """The exponent with which time grows."""
    ours = [best_time(DynamicConvolution(4, TAPS), n) for n in (2048, 16384)]
    full = MultiHeadAttention(4, 16)
    theirs = [best_time(full, n, use_causal_mask=True) for n in (2048, 8192)]
    exponent = np.log(ours[1] / ours[0]) / np.log(8)
    other = np.log(theirs[1] / theirs[0]) / np.log(4)
    return Claim(
        "DynamicConvolution",
        "time grows with an exponent of at most 1.2 from 2,048 to 16,384 positions",
        f"{exponent:.2f} ({ours[0] * 1e3:.1f} to {ours[1] * 1e3:.1f} ms)",
        f"MultiHeadAttention to 8,192: {other:.2f} "
        f"({theirs[0] * 1e3:.1f} to {theirs[1] * 1e3:.1f} ms)",
        bool(exponent <= 1.2),
    )


def best_time(layer, length, **options):
    """Seconds of the fastest of seven passes."""
    inputs = keras.Input((length, 64))
    model = keras.Model(inputs, layer(inputs, **options))
    hidden = np.random.default_rng(seed=0).normal(size=(1, length, 64))
    hidden, took = hidden.astype("float32"), []
    for _ in range(8):
        began = time.perf_counter()
        model.predict_on_batch(hidden)
        took.append(time.perf_counter() - began)
    return min(took[1:])


def listed(numbers):
    """`0.123, 0.456`, a seed at a time."""
    return ", ".join(f"{number:.3f}" for number in numbers)
