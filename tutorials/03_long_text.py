# %% [markdown]
# # Long text: local, regional and dynamic attention
#
# - **You will** time four kinds of attention as the text grows, see what a window
#   cannot find and what summaries of regions can, and what length does to a softmax.
# - **Read first** `01_self_attention.py`; for the last part `02_language_model.py`.
# - **Data** two puzzles made below from seed 0; NumPy's docstrings for the export.
# - **Cost** 748 s for the five trainings of the puzzles (`jax`, Keras 3.15) on 2 CPU cores
#   with much other work on the machine; the rest was not timed.
# - **Result** far facts found: 96.2 % with regions, 100 % with full attention, 12.4 % with
#   a window, which is chance; in texts four times as long 56.0, 99.0 and 10.7 %. 8,192
#   tokens take 120 ms, 1,761 ms and 72 ms. Recall at 32 times the training length: 92.9 %
#   and 0.30 nats with dynamic attention, 89.1 % and 0.59 without.
# - **Paper** Beltagy et al., 2020, https://arxiv.org/abs/2004.05150 (local);
#   https://arxiv.org/abs/2502.11089 (summaries of far tokens); Nakanishi, 2025,
#   https://arxiv.org/abs/2501.19399 (dynamic).
#
# The one new idea: full attention compares all pairs of positions, so twice the text
# costs four times the work. There are two ways out, and each gives something up: see
# only what is near, or see what is far as summaries. A third layer costs as much as full
# attention and repairs something else: a softmax that blurs when there is more to read.

# %% Settings: everything you may want to change
import os

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, files go there
SEED = 0
# Cost: one causal layer, one text.
COST_LENGTHS = (128,) if QUICK else (512, 1024, 2048, 4096, 8192)
COST_WINDOW, COST_REGION = (16, 16) if QUICK else (128, 64)
COST_HEADS, COST_KEY_DIM = 4, 32
# Far facts: regions of 16, so that 128 tokens are 8 regions, 6 of them far.
REGION, NEIGHBORS = 16, 1
LENGTH = 128  # in training
LENGTHS = (128,) if QUICK else (128, 256, 512)  # in the test
FACT_STEPS = 2 if QUICK else 600
NUM_TEST = 64 if QUICK else 1024
# Recall: pairs in training, and in the test.
SHORTEST, LONGEST = 16, 128
PAIRS = (128,) if QUICK else (128, 256, 512, 1024, 2048, 4096)
RECALL_STEPS = 2 if QUICK else 800
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
# The model that is shipped.
VOCABULARY_SIZE = 400 if QUICK else 600
SEQUENCE_LENGTH = 128
TEXT_STEPS = 3 if QUICK else 120
MAX_NEW_TOKENS = 4 if QUICK else 24
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import resource
import sys
import time
from pathlib import Path

import keras
import matplotlib
import numpy as np
from keras import ops

import keras_lm
import keras_lm.models
import keras_lm.training

if "ipykernel" not in sys.modules:  # a script shows no windows
    matplotlib.use("Agg")
from matplotlib import pyplot as plt

START_S = time.perf_counter()
HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
PICTURES = Path(QUICK) if QUICK else HERE / "pictures"
SAVED_MODELS = Path(QUICK) if QUICK else HERE.parent / "saved_models"
PICTURES.mkdir(exist_ok=True)
BACKEND = keras.backend.backend()
JIT = BACKEND != "torch"
keras.utils.set_random_seed(SEED)

# %% [markdown]
# ## Data
#
# **Far facts.** A sequence of 128 tokens is 8 regions of 16. All are fillers but for 6
# facts and the question. A fact is one token that stands for a key and a value, `c5`;
# there are 8 x 8 of them. The facts have 6 different keys and stand at random places,
# one in each of 6 regions that are far from the end. The last token asks for one of the
# keys, `c?`, and the answer is its value. Chance is 1 in 8.

# %%
NUM_FILLERS, NUM_KEYS, NUM_VALUES, NUM_FACTS = 32, 8, 8, 6
FIRST_FACT = NUM_FILLERS
FIRST_QUESTION = FIRST_FACT + NUM_KEYS * NUM_VALUES
NUM_TOKENS = FIRST_QUESTION + NUM_KEYS


def far_facts(count, length, seed):
    """Token ids `(count, length)`, answers `(count,)`, places of the asked facts."""
    random = np.random.default_rng(seed)
    token_ids = random.integers(0, NUM_FILLERS, (count, length), dtype="int32")
    num_far = length // REGION - 1 - NEIGHBORS
    regions = random.permuted(np.tile(np.arange(num_far), (count, 1)), axis=1)
    keys = random.permuted(np.tile(np.arange(NUM_KEYS), (count, 1)), axis=1)
    regions, keys = regions[:, :NUM_FACTS], keys[:, :NUM_FACTS]
    values = random.integers(0, NUM_VALUES, keys.shape)
    places = regions * REGION + random.integers(0, REGION, keys.shape)
    facts = FIRST_FACT + keys * NUM_VALUES + values
    np.put_along_axis(token_ids, places, facts.astype("int32"), axis=1)
    rows, asked = np.arange(count), random.integers(0, NUM_FACTS, count)
    token_ids[:, -1] = FIRST_QUESTION + keys[rows, asked]
    return token_ids, values[rows, asked].astype("int32"), places[rows, asked]


# %% [markdown]
# **Recall.** A sequence holds `n` pairs of a key (24 numbers, in any direction, all keys
# of one length) and one of 10 symbols. The query is one of the keys, with noise of
# deviation 0.5 added, and the answer is that key's symbol. Training sees 16 to 128 pairs.
# Nothing here has a position: places never seen in training fail for a reason of their
# own and would hide what is measured. So would keys of many lengths: then the longest,
# not the right one, often has the best score.

# %%
KEY_DIM, NUM_SYMBOLS, NOISE = 24, 10, 0.5


def recall(random, lengths):
    """Inputs and answers of one batch, padded at the end to the longest."""
    batch, width = len(lengths), max(lengths)
    keys = random.normal(size=(batch, width, KEY_DIM)).astype("float32")
    keys *= KEY_DIM**0.5 / np.linalg.norm(keys, axis=-1, keepdims=True)
    symbols = random.integers(NUM_SYMBOLS, size=(batch, width))
    rows, asked = np.arange(batch), random.integers(0, lengths)
    query = keys[rows, asked] + random.normal(scale=NOISE, size=(batch, KEY_DIM))
    one_hot = np.eye(NUM_SYMBOLS, dtype="float32")[symbols]
    inputs = {
        "pairs": np.concatenate([keys, one_hot], axis=-1),  # (B, n, 24 + 10)
        "query": query.astype("float32")[:, None],  # (B, 1, 24)
        "real": np.arange(width) < lengths[:, None],  # (B, n)
    }
    return inputs, symbols[rows, asked].astype("int32")


def recall_batches(seed):
    """Batches of sequences of 16 to 128 pairs, for ever, all of width 128."""
    random = np.random.default_rng(seed)
    while True:
        lengths = random.integers(SHORTEST, LONGEST, BATCH_SIZE, endpoint=True)
        lengths[0] = LONGEST  # one shape, one compilation
        yield recall(random, lengths)


# %% [markdown]
# ## Look at one example
#
# Each line is a region; `·` is a filler.


# %%
def written(token):
    """A token as people read it."""
    if token < FIRST_FACT:
        return "·"
    if token >= FIRST_QUESTION:
        return f"{'abcdefgh'[token - FIRST_QUESTION]}?"
    key, value = divmod(token - FIRST_FACT, NUM_VALUES)
    return f"{'abcdefgh'[key]}{value}"


token_ids, answers, places = far_facts(1, LENGTH, seed=SEED)
for region in token_ids.reshape(-1, REGION):
    print(" ".join(f"{written(token):2}" for token in region))
print("answer:", answers[0])
inputs, symbols = recall(np.random.default_rng(SEED), np.array([5, 3]))
print({name: array.shape for name, array in inputs.items()}, "->", symbols)

assert written(token_ids[0, places[0]])[1] == str(answers[0])

# %% [markdown]
# ## Model
#
# First what a layer costs. One causal self-attention layer, one text, the forward pass
# as `predict` compiles it; the fastest of five calls after one that compiles.


# %%
def cost_layers():
    """Fresh layers of one width, by name."""
    sizes = COST_HEADS, COST_KEY_DIM
    layers = keras_lm.layers
    return {
        "multi_head": layers.MultiHeadAttention(*sizes),
        "dynamic": layers.DynamicAttention(*sizes),
        "regional": layers.RegionalAttention(*sizes, region_size=COST_REGION),
        "local": layers.LocalAttention(*sizes, window=COST_WINDOW),
    }


def seconds_of_call(attention, length):
    """The fastest of five compiled forward passes."""
    hidden = keras.Input((length, COST_HEADS * COST_KEY_DIM))
    model = keras.Model(hidden, attention(hidden, hidden, use_causal_mask=True))
    model.compile(jit_compile=JIT)
    text = np.random.default_rng(SEED).normal(size=(1, *hidden.shape[1:]))
    text = text.astype("float32")
    model.predict_on_batch(text)  # compiles
    took = []
    for _ in range(5):
        began_s = time.perf_counter()
        model.predict_on_batch(text)
        took.append(time.perf_counter() - began_s)
    return min(took)


costs = {
    name: [seconds_of_call(attention, length) for length in COST_LENGTHS]
    for name, attention in cost_layers().items()
}
print(f"{'tokens, ms':12}", *(f"{length:8,}" for length in COST_LENGTHS))
for name, row in costs.items():
    print(f"{name:12}", *(f"{1000 * seconds:8.1f}" for seconds in row))

figure, axis = plt.subplots(figsize=(7, 4.4), layout="constrained")
for (name, row), style in zip(costs.items(), ("o-", "^-", "s--", "x:")):
    axis.loglog(COST_LENGTHS, 1000 * np.array(row), style, label=name, base=2)
axis.set_xticks(COST_LENGTHS, [f"{length:,}" for length in COST_LENGTHS])
axis.yaxis.set_major_formatter("{x:g}")
axis.set(xlabel="tokens in the text", ylabel="milliseconds, forward pass")
axis.set_title("One causal layer")
axis.legend()
figure.savefig(PICTURES / "03_cost.png", dpi=120)

growth = {name: row[-1] / row[-3] for name, row in costs.items() if len(row) > 2}
if not QUICK:
    for name, times in growth.items():
        print(f"{name:12} four times the text, {times:.1f} times the time")
    assert costs["multi_head"][-1] > 2 * costs["local"][-1]
    assert costs["multi_head"][-1] > 2 * costs["regional"][-1]

# %% [markdown]
# In `03_cost.png` see full and dynamic attention close together on the steepest lines,
# and local attention on the flattest: work that grows with the text alone. At 1,024 tokens
# it took 11 ms and full attention 24; that is no reason to leave the default. At 8,192 it
# took 72 and 1,761.
#
# ### What decoding remembers
#
# To write the next token, a layer keeps something of all tokens before it. Full attention
# keeps every key and value, local attention a ring of one window, regional attention the
# near tokens and one sum for each region.


# %%
def numbers_kept(attention, length):
    """Of one text: how many numbers the decoding state holds."""
    state = keras.tree.flatten(attention.initial_state(1, length))
    return sum(int(np.prod(array.shape)) for array in state)


kept = {}
for name, attention in cost_layers().items():
    attention.build((1, None, COST_HEADS * COST_KEY_DIM))
    kept[name] = [numbers_kept(attention, length) for length in (4096, 8192)]
    print(
        f"{name:12} {kept[name][0]:10,} numbers at 4,096 {kept[name][1]:10,} at 8,192"
    )

assert kept["multi_head"][1] == 2 * kept["multi_head"][0]
assert kept["local"][1] == kept["local"][0]
assert kept["regional"][1] < kept["multi_head"][1] / 10

# %% [markdown]
# ### The models of the two puzzles
#
# For the facts: an embedding, one causal attention, the answer read at the last token.
# The three differ in the attention alone, and the window is as long as what the regional
# layer reads token by token at the end. For recall: one attention from the query to the
# pairs, and a dense layer.

# %%
HEADS, WIDTH = 4, 16
FACT_LAYERS = {
    "local": lambda: keras_lm.layers.LocalAttention(
        HEADS, WIDTH, window=(NEIGHBORS + 1) * REGION
    ),
    "regional": lambda: keras_lm.layers.RegionalAttention(
        HEADS, WIDTH, region_size=REGION, neighbors=NEIGHBORS
    ),
    "multi_head": lambda: keras_lm.layers.MultiHeadAttention(HEADS, WIDTH),
}
RECALL_LAYERS = {
    "plain": lambda: keras_lm.layers.MultiHeadAttention(2, KEY_DIM),
    "dynamic": lambda: keras_lm.layers.DynamicAttention(
        2, KEY_DIM, "ssmax", train_length=LONGEST
    ),
}


def compiled(model, learning_rate):
    """Ready for `fit`."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=JIT)
    return model


def fact_model(attention):
    """Token ids `(B, T)` to logits of the values `(B, 8)`."""
    token_ids = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(NUM_TOKENS, HEADS * WIDTH, name="embedding")
    hidden = embedding(token_ids)  # (B, T, D)
    attended = attention(hidden, hidden, use_causal_mask=True)
    last = ops.add(hidden, attended)[:, -1]  # (B, D)
    last = keras.layers.LayerNormalization(epsilon=1e-5)(last)
    model = keras.Model(token_ids, keras.layers.Dense(NUM_VALUES)(last))
    return compiled(model, LEARNING_RATE)


def recall_model(attention):
    """Pairs and a query to logits of the symbols `(B, 10)`."""
    pairs = keras.Input((None, KEY_DIM + NUM_SYMBOLS), name="pairs")
    query = keras.Input((1, KEY_DIM), name="query")
    real = keras.Input((None,), dtype="bool", name="real")
    context = attention(query, pairs, value_mask=real)  # (B, 1, 24)
    logits = keras.layers.Dense(NUM_SYMBOLS)(context[:, 0])
    inputs = {"pairs": pairs, "query": query, "real": real}
    falling = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, RECALL_STEPS)
    return compiled(keras.Model(inputs, logits), falling)


# %% [markdown]
# ## Train
#
# The far facts: the same sequences for all three, none of them seen twice; then longer
# texts than in training, with 6 facts as before.

# %%
facts = far_facts(FACT_STEPS * BATCH_SIZE, LENGTH, SEED + 1)
fact_models, curves, found = {}, {}, {}
for name, make in FACT_LAYERS.items():
    began_s = time.perf_counter()
    keras.utils.set_random_seed(SEED)
    attention = make()
    model = fact_model(attention)
    epochs = max(1, FACT_STEPS // 50)  # to see the curve: 50 steps each
    accuracies = []
    for part in np.array_split(np.arange(len(facts[0])), epochs):
        fitted = model.fit(facts[0][part], facts[1][part], BATCH_SIZE, verbose=0)
        accuracies.append(fitted.history["accuracy"][-1])
    fact_models[name], curves[name], found[name] = (model, attention), accuracies, []
    for length in LENGTHS:
        token_ids, answers, _ = far_facts(NUM_TEST, length, SEED + length)
        logits = model.predict(token_ids, BATCH_SIZE, verbose=0)
        found[name].append(float(np.mean(logits.argmax(axis=-1) == answers)))
    seconds = time.perf_counter() - began_s
    row = ", ".join(f"{a:.1%} at {n}" for a, n in zip(found[name], LENGTHS))
    print(f"{name:12} {row}; {seconds:.0f} s")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
steps = np.linspace(0, FACT_STEPS, len(curves["local"]) + 1)[1:]
for name, style in zip(FACT_LAYERS, ("x:", "s--", "o-")):
    axes[0].plot(steps, curves[name], style, label=name)
    axes[1].plot(LENGTHS, found[name], style, label=name)
for axis in axes:
    axis.axhline(1 / NUM_VALUES, color="grey", linewidth=1)
axes[1].text(LENGTHS[-1], 0.15, "chance", color="grey", ha="right")
axes[0].set(title=f"While training, {LENGTH} tokens", xlabel="optimizer steps")
axes[0].set(ylabel="facts found", ylim=(0, 1.05))
axes[1].set(title="After it, longer texts", xlabel="tokens in the text")
axes[1].set_xticks(LENGTHS)
axes[0].legend(loc="upper left")
figure.savefig(PICTURES / "03_facts.png", dpi=120)

if not QUICK:
    assert found["local"][0] < 0.25
    assert found["regional"][0] > 0.85
    assert found["multi_head"][0] > 0.85

# %% [markdown]
# In `03_facts.png` see local attention stay at chance from the first step to the last:
# no training shows it what is outside its window. Regional attention finds the fact in a
# summary of 16 tokens, made before anything was asked; it learns that more slowly than
# full attention, and loses more when the text grows: four times the length, 56 %.
#
# ### Recall, in texts longer than in training
#
# Both layers get the same batches.

# %%
recall_models, losses, right = {}, {}, {}
for name, make in RECALL_LAYERS.items():
    began_s = time.perf_counter()
    keras.utils.set_random_seed(SEED)
    attention = make()
    model = recall_model(attention)
    batches = recall_batches(SEED + 1)
    model.fit(batches, steps_per_epoch=RECALL_STEPS, shuffle=False, verbose=0)
    recall_models[name], losses[name], right[name] = attention, [], []
    for num_pairs in PAIRS:
        random = np.random.default_rng([SEED + 2, num_pairs])
        scores = []
        for _ in range(NUM_TEST // BATCH_SIZE):
            batch = recall(random, np.full(BATCH_SIZE, num_pairs))
            scores.append(model.test_on_batch(*batch, return_dict=True))
            model.reset_metrics()
        losses[name].append(np.mean([score["loss"] for score in scores]))
        right[name].append(np.mean([score["accuracy"] for score in scores]))
    print(f"{name:8} {time.perf_counter() - began_s:.0f} s")
print(f"{'pairs':8}", *(f"{num_pairs:>12,}" for num_pairs in PAIRS))
for name in losses:
    row = zip(losses[name], right[name])
    print(f"{name:8}", *(f"{loss:5.2f} {a:6.1%}" for loss, a in row), "nats, right")
slope, offset = (
    ops.convert_to_numpy(weight)
    for weight in (recall_models["dynamic"].slope, recall_models["dynamic"].offset)
)
print("learned by each head: f(n) =", end=" ")
print(", ".join(f"{a:.2f} log n {b:+.2f}" for a, b in zip(slope, offset)))

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, style in zip(RECALL_LAYERS, ("o-", "s--")):
    axes[0].plot(PAIRS, right[name], style, label=name)
    axes[1].plot(PAIRS, losses[name], style, label=name)
for axis in axes:
    axis.set_xscale("log", base=2)
    axis.set_xticks(PAIRS, [f"{num_pairs:,}" for num_pairs in PAIRS])
    axis.set(xlabel="pairs in the sequence (at most 128 in training)")
axes[0].set(title="Symbols right", ylabel="accuracy", ylim=(0, 1.05))
axes[1].set(title="How sure of the right one", ylabel="nats per answer", ylim=(0, None))
axes[0].legend(loc="lower left")
figure.savefig(PICTURES / "03_recall.png", dpi=120)

if not QUICK:
    far = PAIRS.index(1024)
    assert losses["dynamic"][far] < losses["plain"][far]
    assert losses["dynamic"][-1] < 0.7 * losses["plain"][-1]
    assert right["dynamic"][-1] > right["plain"][-1] + 0.02
    assert losses["dynamic"][0] < losses["plain"][0] + 0.05

# %% [markdown]
# In `03_recall.png` see both together up to 512 pairs and apart from there on. The right
# key mostly still has the best score, but thousands of others each get a little, and with
# plain attention the little adds up. Dynamic attention multiplies the scores by
# `a log n + b`, learned from texts of 16 to 128, and loses half as many nats at 4,096.
#
# ## Use it
#
# One text, one question, and where the last token looks. The layer is asked once more,
# with `return_attention_scores=True`; regional attention gives its weights by token, a
# summary's share spread over the tokens it was made of.

# %%
token_ids, answers, places = far_facts(1, LENGTH, seed=SEED + 3)
is_fact = (token_ids[0] >= FIRST_FACT) & (token_ids[0] < FIRST_QUESTION)
print("facts", " ".join(written(token) for token in token_ids[0][is_fact]), end=", ")
print("asked", written(token_ids[0, -1]))

figure, axes = plt.subplots(3, 1, figsize=(10, 6), layout="constrained", sharex=True)
on_the_fact = {}
for axis, (name, (model, attention)) in zip(axes, fact_models.items()):
    answer = model.predict(token_ids, verbose=0).argmax(axis=-1)[0]
    hidden = model.get_layer("embedding")(token_ids)
    _, weights = attention(
        hidden, hidden, use_causal_mask=True, return_attention_scores=True
    )  # (1, H, T, T)
    last = ops.convert_to_numpy(weights)[0, :, -1].mean(axis=0)  # (T,), all heads
    on_the_fact[name] = last[places[0]]
    print(f"{name:12} answers {answer}, weight on the fact {on_the_fact[name]:.2f}")
    axis.bar(np.arange(LENGTH), last, width=1.0)
    for place in np.flatnonzero(is_fact):
        asked = place == places[0]
        axis.axvline(place, color="C3" if asked else "lightgrey", zorder=0)
        color = "C3" if asked else "grey"
        word = written(token_ids[0, place])
        axis.text(
            place + 0.7, 0.92, word, color=color, transform=axis.get_xaxis_transform()
        )
    axis.set(title=f"{name} answers {answer}", ylabel="weight")
    axis.set_xticks(np.arange(0, LENGTH + 1, REGION))
    assert np.isclose(last.sum(), 1, atol=1e-4)
axes[-1].set_xlabel(f"place in the text, a tick for each region; asked at {LENGTH - 1}")
figure.savefig(PICTURES / "03_weights.png", dpi=120)

window = (NEIGHBORS + 1) * REGION
assert on_the_fact["local"] == 0  # it lies outside the window

# %% [markdown]
# In `03_weights.png` a red line marks the fact that was asked for. It lies outside the
# window, so local attention can give it nothing, whatever it has learnt.
#
# ## Export and check that it still agrees
#
# Two kinds go well together and can alternate, block by block: a window for the details,
# regions for what is far. `attention=` takes a list of short names or of layers that
# serve as prototypes; each block gets a fresh copy.

# %%
documents = keras_lm.text.docstring_corpus(packages=("numpy",))
documents = documents[:20] if QUICK else documents
texts = [document.text for document in documents]
tokenizer = keras_lm.text.train_tokenizer(texts, VOCABULARY_SIZE)
keras.utils.set_random_seed(SEED)
decoder = keras_lm.models.TransformerDecoder(
    vocabulary_size=tokenizer.vocabulary_size,
    num_layers=2,
    num_heads=4,
    hidden_dim=64,
    intermediate_dim=128,
    max_sequence_length=2 * SEQUENCE_LENGTH,
    attention=[
        keras_lm.layers.LocalAttention(4, 16, window=32),
        keras_lm.layers.RegionalAttention(4, 16, region_size=REGION),
    ],
)
decoder.compile(
    keras.optimizers.Adam(LEARNING_RATE),
    loss=keras_lm.training.MaskedCrossEntropy(),
    jit_compile=JIT,
)
dataset = keras_lm.text.language_model_dataset(
    texts, tokenizer, SEQUENCE_LENGTH, 8, seed=SEED, repeat=True
)
history = decoder.fit(dataset, steps_per_epoch=TEXT_STEPS, shuffle=False, verbose=0)
print(f"{decoder.count_params():,} parameters", end=", ")
print(f"{history.history['loss'][-1]:.2f} nats per token over {TEXT_STEPS} steps")

generator = keras_lm.pipelines.TextGenerator(decoder, tokenizer, MAX_NEW_TOKENS)
prompt = "Return the shape of an array.\n\nParameters\n----------\n" * 4
num_tokens = len(tokenizer.encode(prompt))
print(f"after a prompt of {num_tokens} tokens:", repr(generator(prompt)))

assert num_tokens > 2 * REGION  # the beginning of the prompt is far from its end

# %% [markdown]
# The window and the regions go into the files with the model: the exporters write, run
# what they wrote in another process, and compare.

# %%
if not QUICK:
    saved_model = keras_lm.export.export_saved_model(
        generator, SAVED_MODELS / "tutorial_long"
    )
    litert = keras_lm.export.export_litert(
        generator, SAVED_MODELS / "tutorial_long.tflite", overwrite=True
    )
    for report in (saved_model, litert):
        print(report)
        assert report.agrees

used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
memory = max(usage.ru_maxrss for usage in used) / 2**20
processor_s = sum(usage.ru_utime + usage.ru_stime for usage in used)
print(f"all of it on {BACKEND}: {time.perf_counter() - START_S:.0f} s", end=", ")
print(f"{processor_s:.0f} s of processor time, largest process {memory:.1f} GiB")

# %% [markdown]
# ## What to try next
#
# - `pooling="mean"` in the regional layer: a summary that does not know what matters.
# - `REGION = 32` and `LENGTH = 256`: one fact in 32 tokens has to be found.
# - `"log"` for `"ssmax"` in the dynamic layer: the same idea without learned numbers.
# - `num_global_tokens=4` in the local layer: a few tokens that all can see.
# - `attention=[.., "multi_head"]` in the decoder: a window, and one layer that sees all.
# - `docs/attention.md` says when to take which.
