"""Local attention: is it the masked full attention it claims to be, at a fixed cost?

Protocol. Three exact properties, window 64, 4 global tokens, 4 heads of 16, causal and
not, seeds 0, 1, 2: the largest difference from `MultiHeadAttention` with the same
weights and the pattern as its mask, over 1,000 steps with padding; which outputs move
when one input position is changed (each of 24 positions drawn from 1,000), compared
with the pattern; the bytes of a decoding state for texts of 1,024 and 32,768 tokens.
What it costs in time is measured by `benchmarks/attention_cost.py`.

With `--data`: characters of `tinyshakespeare` (the first 90 % train, the rest is held
out), predicted by a `TransformerDecoder` of 2 blocks, 4 heads, width 64, feed-forward
256, rotary positions, context 256, in batches of 8 texts from random places; 400 steps
of AdamW (3e-3, warm-up 40, cosine). The two models differ in `attention` only; they
have the same number of parameters, and for each seed the same first weights and the
same batches. Held-out nats per character over 64 texts of 256 characters, the same for
all. Seeds 0, 1, 2. Two blocks with windows of 64 see 126 characters back.
"""

import keras
import numpy as np

from benchmarks.claim import Claim
from keras_lm.layers import LocalAttention, MultiHeadAttention
from keras_lm.models import TransformerDecoder
from keras_lm.training import MaskedCrossEntropy, WarmupCosine

SEEDS = (0, 1, 2)
HEADS, WIDTH, WINDOW, NUM_GLOBAL = 4, 16, 64, 4
LENGTH, NUM_CHANGED = 1_000, 24
CONTEXT, BATCH_SIZE, STEPS, NUM_HELD_OUT = 256, 8, 400, 64
LEARNING_RATE, WARMUP_STEPS = 3e-3, 40


def run(data):
    """The claims about `LocalAttention`; the text of the last is in `data`."""
    return [equality(), receptive_field(), state_size(), language_model(data)]


def pair_of_layers(seed):
    """Local and full attention with the same weights."""
    keras.utils.set_random_seed(seed)
    local = LocalAttention(HEADS, WIDTH, WINDOW, NUM_GLOBAL)
    full = MultiHeadAttention(HEADS, WIDTH)
    local.build((None, None, HEADS * WIDTH)), full.build((None, None, HEADS * WIDTH))
    full.set_weights(local.get_weights())
    return local, full


def pattern(causal, length=LENGTH):
    """Which query, a row, sees which key, a column."""
    distance = np.arange(length)[:, None] - np.arange(length)
    is_global = np.arange(length) < NUM_GLOBAL
    if causal:
        return ((distance < WINDOW) | is_global) & (distance >= 0)
    return (np.abs(distance) < WINDOW) | is_global | is_global[:, None]


def equality():
    """The largest difference from full attention with the pattern as a mask."""
    largest = []
    for seed in SEEDS:
        local, full = pair_of_layers(seed)
        random = np.random.default_rng(seed)
        hidden = random.normal(size=(2, LENGTH, HEADS * WIDTH)).astype("float32")
        real = np.arange(LENGTH) < np.array([[LENGTH], [LENGTH - 123]])
        for causal in (True, False):
            mask = {"value_mask": real, "query_mask": real}
            outputs = [
                keras.ops.convert_to_numpy(output)
                for output in (
                    local(hidden, hidden, use_causal_mask=causal, **mask),
                    full(hidden, hidden, attention_mask=pattern(causal), **mask),
                )
            ]
            largest.append(np.abs(outputs[0] - outputs[1]).max())
    return Claim(
        "LocalAttention",
        "equal to full attention under the same mask: largest difference of an output "
        "at most 1e-5",
        f"{max(largest):.1e} (3 seeds, causal and not)",
        "masked MultiHeadAttention",
        bool(max(largest) <= 1e-5),
    )


def receptive_field():
    """Counts where what moves differs from the pattern."""
    wrong = total = 0
    for seed in SEEDS:
        local, _ = pair_of_layers(seed)
        random = np.random.default_rng(seed)
        hidden = random.normal(size=(1, LENGTH, HEADS * WIDTH)).astype("float32")
        for causal in (True, False):
            before = keras.ops.convert_to_numpy(local(hidden, use_causal_mask=causal))
            for place in random.choice(LENGTH, NUM_CHANGED, replace=False):
                changed = hidden.copy()
                changed[0, place] += 10.0
                after = keras.ops.convert_to_numpy(
                    local(changed, use_causal_mask=causal)
                )
                moved = np.abs(after - before).max(axis=-1)[0] > 1e-6
                wrong += int((moved != pattern(causal)[:, place]).sum())
                total += LENGTH
    return Claim(
        "LocalAttention",
        "a position moves exactly the outputs that the pattern lets see it",
        f"{wrong} of {total:,} outputs otherwise",
        "the pattern, a NumPy expression",
        wrong == 0,
    )


def state_size():
    """Bytes of the decoding state of one text."""
    sizes = {}
    for layer in pair_of_layers(seed=0):
        sizes[type(layer).__name__] = [
            sum(
                np.asarray(keras.ops.convert_to_numpy(array)).nbytes
                for array in layer.initial_state(1, length).values()
            )
            for length in (1_024, 32_768)
        ]
    shown = {
        name: f"{short:,} and {long:,} bytes" for name, (short, long) in sizes.items()
    }
    return Claim(
        "LocalAttention",
        "its decoding state does not grow: 1,024 and 32,768 tokens",
        shown["LocalAttention"],
        f"MultiHeadAttention {shown['MultiHeadAttention']}",
        sizes["LocalAttention"][0] == sizes["LocalAttention"][1],
    )


def language_model(data):
    """Held-out nats per character with windows of 64, and with all 256."""
    claim = "characters of tinyshakespeare: held-out loss with windows of 64 at most "
    claim += "0.02 nats above full attention over 256, mean of 3 seeds"
    path = data / "tinyshakespeare" / "input.txt" if data else None
    if path is None or not path.exists():
        return Claim("LocalAttention", claim, "needs --data", "", None)
    text = path.read_text("utf-8")
    characters = sorted(set(text))
    ids = {character: i for i, character in enumerate(characters)}
    tokens = np.array([ids[character] for character in text], "int32")
    train, held_out = np.split(tokens, [int(0.9 * len(tokens))])
    losses = {"local": [], "full": []}
    for seed in SEEDS:
        for name, found in losses.items():
            found.append(train_and_test(name, seed, train, held_out, len(characters)))
            print(name, seed, found[-1], flush=True)
    means = {name: np.mean(found) for name, found in losses.items()}
    shown = {
        name: f"{means[name]:.4f} ({', '.join(f'{x:.4f}' for x in found)})"
        for name, found in losses.items()
    }
    return Claim(
        "LocalAttention",
        claim,
        shown["local"],
        f"full {shown['full']}",
        bool(means["local"] <= means["full"] + 0.02),
    )


def train_and_test(name, seed, train, held_out, vocabulary_size):
    """Held-out nats per character after 400 steps."""
    keras.utils.set_random_seed(seed)
    attention = "multi_head"
    if name == "local":
        attention = LocalAttention(HEADS, WIDTH, WINDOW, rotary_wavelength=10_000.0)
    model = TransformerDecoder(
        vocabulary_size,
        2,
        HEADS,
        HEADS * WIDTH,
        4 * HEADS * WIDTH,
        CONTEXT,
        attention=attention,
    )
    schedule = WarmupCosine(LEARNING_RATE, WARMUP_STEPS, total_steps=STEPS)
    model.compile(keras.optimizers.AdamW(schedule), loss=MaskedCrossEntropy())
    random = np.random.default_rng(seed)
    inputs, targets = texts(train, random, STEPS * BATCH_SIZE)
    model.fit(inputs, targets, batch_size=BATCH_SIZE, shuffle=False, verbose=0)
    inputs, targets = texts(held_out, np.random.default_rng(0), NUM_HELD_OUT)
    return model.evaluate(inputs, targets, batch_size=BATCH_SIZE, verbose=0)


def texts(tokens, random, count):
    """Token ids and the ones that follow, from random places."""
    starts = random.integers(len(tokens) - CONTEXT, size=(count, 1))
    places = starts + np.arange(CONTEXT)
    return tokens[places], tokens[places + 1]
