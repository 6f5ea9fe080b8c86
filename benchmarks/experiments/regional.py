"""RegionalAttention: a fact in a far region is found through its region's summary.

The task. A sequence of 256 tokens is 8 regions of 32. All are fillers, drawn from
32, but for 6 facts and the question. A fact is one token that stands for a key and a
value, 8 x 8 of them; the 6 facts have 6 different keys and stand at random places, one
in each of the 6 regions that are far from the end. The last token is the question, one
of 8, for one of the 6 keys; the answer is that key's value: chance is 0.125. At the
length 1024, which no model has seen, the 6 facts are in 6 of the 30 far regions.

The model. Embedding of 64, one causal attention of 4 heads of 16 without positions,
residual, layer normalization, and the 8 values' logits at the last token. 700 steps of
Adam, 3e-3, on 64 fresh sequences each, the same for all models of a seed; accuracy on
1024 others; seeds 0, 1 and 2. These sizes were settled on seed 99.

Only the attention differs: regional with importance pooling; regional with mean pooling
(`u` stays 0); a window of 64, which is the reach of the near regions at the last token;
and full attention as the reference. Pooling must find the one token in 32 that matters
before anything is asked.
"""

import keras
import numpy as np
from keras import ops

from benchmarks.claim import Claim
from keras_lm import layers

REGION, NEIGHBORS = 32, 1
NUM_FILLERS, NUM_KEYS, NUM_VALUES, NUM_FACTS = 32, 8, 8, 6
FIRST_FACT = NUM_FILLERS
FIRST_QUESTION = FIRST_FACT + NUM_KEYS * NUM_VALUES
VOCABULARY_SIZE = FIRST_QUESTION + NUM_KEYS
HEADS, KEY_DIM = 4, 16
STEPS, BATCH, NUM_TEST = 700, 64, 1024
LENGTH, LONGER = 256, 1024
SEEDS = (0, 1, 2)
FOUND, LOST = 0.85, 0.25

ATTENTIONS = {
    "importance": lambda: layers.RegionalAttention(HEADS, KEY_DIM, REGION, NEIGHBORS),
    "mean": lambda: layers.RegionalAttention(
        HEADS, KEY_DIM, REGION, NEIGHBORS, pooling="mean"
    ),
    "window": lambda: layers.LocalAttention(
        HEADS, KEY_DIM, window=(NEIGHBORS + 1) * REGION
    ),
    "full": lambda: layers.MultiHeadAttention(HEADS, KEY_DIM),
}


def run(data):
    """The claims; `data` is not used."""
    found = {name: [] for name in ATTENTIONS}
    longer = {name: [] for name in ATTENTIONS}
    for seed in SEEDS:
        for name in ATTENTIONS:
            near, far = accuracies(name, seed)
            found[name].append(near)
            longer[name].append(far)
            print(f"seed {seed}, {name}: {near:.3f}, at {LONGER} {far:.3f}", flush=True)
    reference = f"full attention {_show(found['full'])}"
    return [
        Claim(
            "RegionalAttention",
            f"finds a far fact through importance pooling: accuracy >= {FOUND}",
            _show(found["importance"]),
            reference,
            min(found["importance"]) >= FOUND,
        ),
        Claim(
            "RegionalAttention",
            f"mean pooling and a window of the same reach do not: both <= {LOST}",
            f"mean {_show(found['mean'])}; window {_show(found['window'])}",
            reference,
            max(found["mean"] + found["window"]) <= LOST,
        ),
        Claim(
            "RegionalAttention",
            f"at {LONGER}, 4 times the trained length, it is above both",
            f"{_show(longer['importance'])}",
            f"mean {_show(longer['mean'])}; window {_show(longer['window'])}; "
            f"full {_show(longer['full'])}",
            min(longer["importance"]) > max(longer["mean"] + longer["window"]),
        ),
    ]


def accuracies(name, seed):
    """Trains one model; its accuracy at the trained and at the longer length."""
    keras.utils.set_random_seed(seed)
    model = make_model(ATTENTIONS[name]())
    draw = np.random.default_rng([seed, 0])
    model.fit(*make_sequences(draw, STEPS * BATCH, LENGTH), BATCH, verbose=0)
    draw = np.random.default_rng([seed, 1])
    results = []
    for length, batch_size in ((LENGTH, BATCH), (LONGER, BATCH // 4)):
        token_ids, answers = make_sequences(draw, NUM_TEST, length)
        logits = model.predict(token_ids, batch_size, verbose=0)
        results.append(float(np.mean(np.argmax(logits, axis=-1) == answers)))
    return results


def make_model(attention):
    """Logits of the values at the last token."""
    token_ids = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(VOCABULARY_SIZE, HEADS * KEY_DIM)(token_ids)
    attended = attention(hidden, hidden, use_causal_mask=True)
    last = ops.add(hidden, attended)[:, -1]  # (B, D)
    last = keras.layers.LayerNormalization(epsilon=1e-5)(last)
    model = keras.Model(token_ids, keras.layers.Dense(NUM_VALUES)(last))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    jit = keras.backend.backend() != "torch"
    model.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=jit)
    return model


def make_sequences(draw, count, length):
    """`(token_ids (count, length), answers (count,))`, int32."""
    token_ids = draw.integers(0, NUM_FILLERS, (count, length), dtype="int32")
    num_far = length // REGION - 1 - NEIGHBORS
    regions = draw.permuted(np.tile(np.arange(num_far), (count, 1)), axis=1)
    regions = regions[:, :NUM_FACTS]
    keys = draw.permuted(np.tile(np.arange(NUM_KEYS), (count, 1)), axis=1)
    keys = keys[:, :NUM_FACTS]
    values = draw.integers(0, NUM_VALUES, keys.shape)
    places = regions * REGION + draw.integers(0, REGION, keys.shape)
    facts = FIRST_FACT + keys * NUM_VALUES + values
    np.put_along_axis(token_ids, places, facts.astype("int32"), axis=1)
    asked = draw.integers(0, NUM_FACTS, count)
    rows = np.arange(count)
    token_ids[:, -1] = FIRST_QUESTION + keys[rows, asked]
    return token_ids, values[rows, asked].astype("int32")


def _show(numbers):
    return " ".join(f"{number:.3f}" for number in numbers)
