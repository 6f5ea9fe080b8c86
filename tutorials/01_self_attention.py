# %% [markdown]
# # Self-attention, by hand and then trained
#
# - **You will** compute `softmax(Q K^T / sqrt(d)) V` with NumPy, see what goes wrong
#   with each piece left out, and train one attention head to look things up.
# - **Read first** nothing; you need matrix products and `model.fit`.
# - **Data** sequences such as `b7 d2 a5 d`, made below from seed 0; nothing to fetch.
# - **Cost** 74 s of processor time, 1.3 GiB (`jax`, Keras 3.15, 2 CPU cores).
# - **Result** 100.0 % of 2,000 unseen sequences right, and as many with 26 pairs where
#   training had 8 at most; there 72.0 % without the softmax, 18.1 % without attention.
# - **Paper** Vaswani et al., 2017, section 3.2, https://arxiv.org/abs/1706.03762
#
# The one idea: every position asks a question (its query), every position has a label
# (its key) and something to say (its value). How well question and label agree decides
# how much of the value is heard. Popular articles print the formula without `V` or
# without the softmax. Both are other functions, and the numbers below say how they fail.

# %% Settings: everything you may want to change
import os

QUICK = os.environ.get("KERAS_LM_QUICK")  # a folder: a few steps, pictures go there
SEED = 0
NUM_TRAIN = 512 if QUICK else 5_000
NUM_HELD_OUT = 256 if QUICK else 2_000
MIN_PAIRS, MAX_PAIRS = 2, 8  # pairs in a training sequence
LONGER = (2, 4, 8, 12, 16, 20, 26)  # pairs to test on; there are 26 letters
HIDDEN_DIM = 64
BATCH_SIZE = 64
EPOCHS = 1 if QUICK else 12
LEARNING_RATE = 2e-3
os.environ.setdefault("KERAS_BACKEND", "jax")  # or "tensorflow", "torch"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch: small arrays gain no more
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %% Imports
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import matplotlib
import numpy as np
from keras import ops

import keras_lm

if "ipykernel" not in sys.modules:  # a script shows no windows
    matplotlib.use("Agg")
from matplotlib import pyplot as plt

START_S = time.perf_counter()
HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
PICTURES = Path(QUICK) if QUICK else HERE / "pictures"
PICTURES.mkdir(exist_ok=True)
keras.utils.set_random_seed(SEED)
np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## Data
#
# A sequence lists pairs of a letter and a digit, then asks for one of the letters
# again: after `b7 d2 a5 d` comes `2`. Letters in a sequence differ; nothing but the
# sequence itself says which digit is right, so it cannot be learnt by heart.
# Shorter sequences are padded on the left.

# %%
LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
VOCABULARY = ["·", *LETTERS, *DIGITS]  # id 0, the dot, is padding
FIRST_DIGIT = VOCABULARY.index("0")


def lookups(num_examples, pairs, width, seed):
    """Sequences `(N, width)` and the digits `(N,)` that answer them.

    `pairs` is the smallest and largest number of pairs in a sequence.
    """
    random = np.random.default_rng(seed)
    token_ids = np.zeros((num_examples, width), "int32")
    answers = np.zeros(num_examples, "int32")
    for row, num_pairs in enumerate(
        random.integers(*pairs, num_examples, endpoint=True)
    ):
        letters = 1 + random.permutation(26)[:num_pairs]
        digits = random.integers(10, size=num_pairs)
        asked = random.integers(num_pairs)
        pairs_ids = np.stack([letters, FIRST_DIGIT + digits], axis=1).ravel()
        token_ids[row, -2 * num_pairs - 1 :] = [*pairs_ids, letters[asked]]
        answers[row] = digits[asked]
    return token_ids, answers


WIDTH = 2 * MAX_PAIRS + 1
train = lookups(NUM_TRAIN, (MIN_PAIRS, MAX_PAIRS), WIDTH, seed=SEED)
held_out = lookups(NUM_HELD_OUT, (MIN_PAIRS, MAX_PAIRS), WIDTH, seed=SEED + 1)
known = {row.tobytes() for row in train[0]}
fresh = np.array([row.tobytes() not in known for row in held_out[0]])
held_out = held_out[0][fresh], held_out[1][fresh]
print(f"{len(train[0]):,} sequences to train on, {len(held_out[0]):,} unseen ones")

# %% [markdown]
# ## Look at one example

# %%
for row, answer in zip(train[0][:4], train[1][:4]):
    print(" ".join(VOCABULARY[token] for token in row), "->", answer)

# %% [markdown]
# ### Attention by hand
#
# Three positions, `d = 4`. Position 1 asks for what lies along the first axis,
# position 2 along the second, position 3 asks nothing.


# %%
def softmax(scores, axis=-1):
    """`exp(scores) / sum(exp(scores))`, with the largest score moved to 0 first."""
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def attention(q, k, v):
    """`softmax(Q K^T / sqrt(d)) V`: the context `(T, Dv)` and the weights `(T, S)`."""
    scores = q @ k.T / np.sqrt(k.shape[-1])  # (T, S)
    weights = softmax(scores, axis=-1)  # each row sums to 1
    return weights @ v, weights


Q = np.array([[3.0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0]])
K = np.array([[2.0, 0, 0, 0], [0, 2, 0, 0], [1, 1, 0, 0]])
V = np.array([[10.0, 0], [0, 10], [5, 5]])
context, weights = attention(Q, K, V)
print("Q K^T\n", Q @ K.T)
print("Q K^T / sqrt(4)\n", Q @ K.T / 2)
print("weights = softmax of each row\n", weights)
print("context = weights V\n", context)

# Row 1 with a pocket calculator: exp(3), exp(0), exp(1.5) = 20.09, 1, 4.48, together
# 25.57, so the weights are 0.786, 0.039, 0.175 and the context is
# 0.786 [10, 0] + 0.039 [0, 10] + 0.175 [5, 5] = [8.73, 1.27].
assert np.allclose(weights[0], [0.786, 0.039, 0.175], atol=5e-4)
assert np.allclose(context[0], [8.73, 1.27], atol=5e-3)
assert np.allclose(context[2], V.mean(axis=0))  # no question: the plain mean

# %% [markdown]
# ### Without V
#
# `softmax(Q K^T / sqrt(d))` alone is not the output of attention but its recipe: who
# listens to whom. Its shape is `(T, S)`, so it grows with the sequence where the next
# layer expects `(T, Dv)`, and what the positions say is not in it: other values, same
# result.

# %%
for length in (3, 6, 12):
    x = np.random.default_rng(length).normal(size=(length, 4))
    context, weights = attention(x, x, x)
    print(f"{length:2} positions: without V {weights.shape}, with V {context.shape}")

other_values = V[::-1] * 7
changed, same = attention(Q, K, other_values)
assert np.array_equal(same, attention(Q, K, V)[1])  # the values had no influence
assert not np.allclose(changed, attention(Q, K, V)[0])

# %% [markdown]
# ### Without the softmax
#
# `(Q K^T / sqrt(d)) V` takes scores for weights. They can be negative, they do not sum
# to 1, and so the context leaves the range of the values and grows with the length:
# say everything twice and the answer doubles. Attention does not change at all.
# (The brackets may also be moved: `Q (K^T V)`. All positions are first melted into one
# matrix of fixed size, and the query can no longer pick one of them.)


# %%
def without_softmax(q, k, v):
    """The popular mistake: `(Q K^T / sqrt(d)) V`."""
    return q @ k.T / np.sqrt(k.shape[-1]) @ v


twice = np.concatenate([K, K]), np.concatenate([V, V])
print("values lie between", V.min(), "and", V.max())
print("attention         ", attention(Q, K, V)[0][0])
print("  said twice      ", attention(Q, *twice)[0][0])
print("without softmax   ", without_softmax(Q, K, V)[0])
print("  said twice      ", without_softmax(Q, *twice)[0])
print("  question negated", without_softmax(-Q, K, V)[0])

assert np.allclose(attention(Q, *twice)[0], attention(Q, K, V)[0])
assert np.allclose(without_softmax(Q, *twice), 2 * without_softmax(Q, K, V))
assert without_softmax(Q, K, V).max() > V.max() > attention(Q, K, V)[0].max()
assert np.allclose(without_softmax(Q, K, V), Q @ (K.T @ V) / 2)

# %% [markdown]
# ### Softmax over the wrong axis
#
# Over axis 0 the queries compete for each key, and rows no longer sum to 1: position 1
# hears the values with weights of 1.405 in all, position 3 with 0.191. Worse, position
# 1's result now depends on what position 3 asks: in a decoder, which must not see what
# comes later, that is a leak. (With a batch, axis 0 is the batch: strangers compete.)

# %%
wrong = softmax(Q @ K.T / 2, axis=0)
print("softmax over axis 0\n", wrong)
print("rows sum to", wrong.sum(axis=-1), "columns to", wrong.sum(axis=0))
later = Q.copy()
later[2] = [9, 9, 0, 0]
wrong_later = softmax(later @ K.T / 2, axis=0)
print("position 1 after a change of position 3:", wrong[0], "->", wrong_later[0])

assert not np.allclose(wrong.sum(axis=-1), 1)
assert not np.allclose(wrong[0], wrong_later[0])
assert np.array_equal(attention(Q, K, V)[0][0], attention(later, K, V)[0][0])

# %% [markdown]
# ### Without 1 / sqrt(d)
#
# If the entries of `q` and `k` have variance 1, `q . k` has variance `d`. In 512
# dimensions scores are then about 23 from 0, and softmax gives nearly everything to
# the largest. Where a weight is close to 0 or 1, its gradient `w (1 - w)` is close to
# 0: the layer cannot find out that it looks in the wrong place.

# %%
WIDTHS = 2 ** np.arange(1, 13)


def saturation(scores):
    """Mean entropy of the weights, nats, and mean of the sums of `w (1 - w)`."""
    w = softmax(scores)
    entropy = -(w * np.log(w + 1e-300)).sum(axis=-1)
    return entropy.mean(), (w * (1 - w)).sum(axis=-1).mean()


measured = {"with 1 / sqrt(d)": [], "without": []}
random = np.random.default_rng(SEED)
for width in WIDTHS:
    q, k = random.normal(size=(400, 1, width)), random.normal(size=(400, 16, width))
    scores = (q @ k.transpose(0, 2, 1))[:, 0]  # (400, 16)
    measured["with 1 / sqrt(d)"].append(saturation(scores / np.sqrt(width)))
    measured["without"].append(saturation(scores))

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for (label, points), style in zip(measured.items(), ("o-", "s--")):
    for axis, values in zip(axes, np.transpose(points)):
        axis.plot(WIDTHS, values, style, label=label)
axes[0].axhline(np.log(16), color="grey", linewidth=1)
axes[0].text(WIDTHS[-1], np.log(16) - 0.03, "all 16 keys alike", ha="right", va="top")
axes[0].set(title="How many keys are heard", ylabel="entropy of the weights (nats)")
axes[1].set(title="How much can be learnt", ylabel="sum of w (1 - w)")
for axis in axes:
    axis.set_xscale("log", base=2)
    axis.set(xlabel="width d of queries and keys", ylim=(0, None))
axes[1].legend(loc="center right")
figure.savefig(PICTURES / "01_scale.png", dpi=120)

assert measured["with 1 / sqrt(d)"][-1][0] > 2.0  # nats, at d = 4096
assert measured["without"][-1][0] < 0.1
assert measured["without"][-1][1] < 0.05 < 0.5 < measured["with 1 / sqrt(d)"][-1][1]

# %% [markdown]
# In `01_scale.png` see the solid lines stay where they are for every width, while the
# dashed ones sink: without the scale one key of 16 is heard (entropy 0), and the
# gradient goes with it.
#
# ## Model
#
# `keras_lm.layers.MultiHeadAttention` is the formula above, once for each head, between
# projections that are learnt: `Q = x W_q + b_q` and so on, and one more after the heads.
# With its own weights, NumPy gives the same numbers.

# %%
x = np.random.default_rng(SEED).normal(size=(1, 6, 10)).astype("float32")
layer = keras_lm.layers.MultiHeadAttention(num_heads=2, key_dim=4)
output, layer_weights = layer(
    x, return_attention_scores=True
)  # (1, 6, 10), (1, 2, 6, 6)


def project(projection, inputs):
    """What a dense layer computes, in NumPy."""
    kernel, bias = (ops.convert_to_numpy(w) for w in projection.weights)
    return inputs @ kernel + bias


q, k, v = (
    project(projection, x[0]).reshape(6, 2, 4).transpose(1, 0, 2)  # (H, T, D)
    for projection in (
        layer.query_projection,
        layer.key_projection,
        layer.value_projection,
    )
)
heads = [attention(q[head], k[head], v[head]) for head in range(2)]
side_by_side = np.concatenate([context for context, _ in heads], axis=-1)  # (T, H D)
by_hand = project(layer.output_projection, side_by_side)
by_hand_weights = np.stack([weights for _, weights in heads])

difference = np.abs(ops.convert_to_numpy(output)[0] - by_hand).max()
weights_difference = np.abs(
    ops.convert_to_numpy(layer_weights)[0] - by_hand_weights
).max()
print(f"layer and hand differ by {difference:.1e}, weights by {weights_difference:.1e}")

assert difference < 1e-5
assert weights_difference < 1e-5

# %% [markdown]
# ### Masks
#
# `True` means "may attend". The causal mask hides what comes later, `value_mask` hides
# padding. A hidden key gets weight 0 and the rest of the row still sums to 1; a
# query that sees nothing gets 0 everywhere, not NaN.

# %%
real = np.array([[False, False, True, True, True, True]])  # two steps of padding
causal = {"use_causal_mask": True}
padded = {"value_mask": real}
for title, masks in [
    ("causal", causal),
    ("padding", padded),
    ("both: the first two queries see nothing", causal | padded),
]:
    _, masked = layer(x, return_attention_scores=True, **masks)
    masked = ops.convert_to_numpy(masked)[0, 0]
    print(f"{title}\n{masked.round(2)}")
    sees_something = masked.any(axis=-1)
    assert np.allclose(masked[sees_something].sum(axis=-1), 1, atol=1e-5)

assert np.all(masked[~np.tril(np.ones((6, 6), bool))] == 0)  # nothing later
assert np.all(masked[:, :2] == 0) and np.all(masked[:2] == 0)  # no padding, no NaN

# %% [markdown]
# ### The model that looks things up
#
# Each position knows its own token and the one before it; one head of self-attention
# lets the last position, a letter, find the position whose *previous* token is the same
# letter, and take over its own token, the digit. Its rivals are the same model with a
# piece of the formula taken out (a subclass that says how it attends), and one without
# attention: every position through a dense layer, then their mean, which has as many
# parameters and sees the same tokens.


# %%
class WithoutSoftmax(keras_lm.layers.MultiHeadAttention):
    """`(Q K^T / sqrt(d)) V`: hidden keys get 0, and nothing is normalised."""

    def attend(self, query, key, value, visibility, training):
        return self.weigh(query, key, value, visibility, training)[0]

    def weigh(self, query, key, value, visibility, training):
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # (B, H, T, S)
        mask = visibility.mask(ops.shape(query)[2], ops.shape(key)[2])
        scores = ops.where(mask, scores / self.key_dim**0.5, 0.0)
        return ops.matmul(scores, value), scores


class WithoutScale(keras_lm.layers.MultiHeadAttention):
    """`softmax(Q K^T) V`: the scale is undone before it is applied."""

    def attend(self, query, key, value, visibility, training):
        query = query * self.key_dim**0.5
        return super().attend(query, key, value, visibility, training)


def build_model(attention_class, seed=SEED):
    """Token ids `(B, T)` to logits of the ten digits `(B, 10)`."""
    keras.utils.set_random_seed(seed)
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    previous_ids = ops.pad(token_ids[:, :-1], ((0, 0), (1, 0)))
    embed = {"input_dim": len(VOCABULARY), "output_dim": HIDDEN_DIM}
    embed["embeddings_initializer"] = keras.initializers.RandomNormal(stddev=1.0)
    token = keras.layers.Embedding(**embed, name="token")(token_ids)
    previous = keras.layers.Embedding(**embed, name="previous_token")(previous_ids)
    hidden = keras.layers.Add(name="hidden")([token, previous])  # (B, T, D)
    real = ops.not_equal(token_ids, 0)  # (B, T)
    if attention_class is None:
        mixed = keras.layers.Dense(2 * HIDDEN_DIM, activation="relu")(hidden)
        counted = ops.expand_dims(ops.cast(real, "float32"), -1)  # (B, T, 1)
        mixed = ops.sum(mixed * counted, axis=1) / ops.sum(counted, axis=1)
        mixed = keras.layers.Dense(HIDDEN_DIM)(mixed)  # (B, D)
    else:
        layer = attention_class(num_heads=1, key_dim=HIDDEN_DIM, name="attention")
        mixed = layer(hidden, value_mask=real, use_causal_mask=True)[:, -1]
    logits = keras.layers.Dense(10, name="logits")(mixed + hidden[:, -1])
    model = keras.Model(token_ids, logits)
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


VARIANTS = {
    "attention": keras_lm.layers.MultiHeadAttention,
    "without 1 / sqrt(d)": WithoutScale,
    "without softmax": WithoutSoftmax,
    "mean, no attention": None,
}
models = {name: build_model(kind) for name, kind in VARIANTS.items()}
for name, model in models.items():
    print(f"{name:20} {model.count_params():,} parameters")

# %% [markdown]
# ## Train

# %%
histories = {}
for name, model in models.items():
    began_s = time.perf_counter()
    histories[name] = model.fit(
        *train,
        validation_data=held_out,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        verbose=0,
    ).history
    accuracy = histories[name]["val_accuracy"][-1]
    seconds = time.perf_counter() - began_s
    print(f"{name:20} {accuracy:6.1%} of unseen sequences right, {seconds:.0f} s")

# %% [markdown]
# Training stopped at 8 pairs. The formula has no length in it, so ask the same models
# about sequences of up to 26.

# %%
accuracies = {name: [] for name in models}
for num_pairs in LONGER:
    longer = lookups(
        len(held_out[0]), (num_pairs, num_pairs), 2 * num_pairs + 1, SEED + 2
    )
    for name, model in models.items():
        logits = model.predict(longer[0], batch_size=256, verbose=0)
        accuracies[name].append(float(np.mean(logits.argmax(axis=-1) == longer[1])))
print(f"{'pairs':20}", *(f"{n:6}" for n in LONGER))
for name, row in accuracies.items():
    print(f"{name:20}", *(f"{accuracy:6.1%}" for accuracy in row))

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for (name, history), style in zip(histories.items(), ("o-", "^-", "s--", "x:")):
    epochs = range(1, len(history["val_accuracy"]) + 1)
    axes[0].plot(epochs, history["val_accuracy"], style, label=name)
    axes[1].plot(LONGER, accuracies[name], style, label=name)
axes[0].set(title="While training, 2 to 8 pairs", xlabel="epoch")
axes[0].set(ylabel="accuracy, unseen sequences", ylim=(0, 1.05))
axes[1].set(title="After it, other lengths", xlabel="pairs in the sequence")
axes[1].axvline(MAX_PAIRS, color="grey", linewidth=1)
axes[1].text(MAX_PAIRS + 0.4, 0.02, "longest in training", color="grey")
for axis in axes:
    axis.axhline(0.1, color="grey", linewidth=1, linestyle=":")
axes[0].legend(loc="center right", bbox_to_anchor=(1, 0.62))
figure.savefig(PICTURES / "01_training.png", dpi=120)

if not QUICK:
    assert accuracies["attention"][LONGER.index(8)] > 0.99
    assert accuracies["attention"][-1] > 0.95
    assert accuracies["without softmax"][-1] < accuracies["attention"][-1] - 0.1
    learning = {name: np.mean(h["val_accuracy"]) for name, h in histories.items()}
    assert learning["without 1 / sqrt(d)"] < learning["attention"] - 0.02
    assert accuracies["mean, no attention"][LONGER.index(8)] < 0.5

# %% [markdown]
# In `01_training.png` see, on the left, the formula at the top first, and without the
# scale last of the three that attend; on the right, the line without softmax fall as soon
# as sequences are longer than in training, because more scores are added up, while
# attention does not notice. The dotted line at 0.1 is a blind guess; the mean, which knows
# which digits there are but not whose, does somewhat better than that.
#
# ## Use it
#
# One unseen sequence, and each of its letters asked in turn.

# %%
model = models["attention"]
token_ids, _ = lookups(1, (MAX_PAIRS, MAX_PAIRS), WIDTH, seed=SEED + 3)
asked = np.repeat(token_ids, MAX_PAIRS, axis=0)
asked[:, -1] = token_ids[0, 0:-1:2]  # each letter in turn
right = token_ids[0, 1:-1:2] - FIRST_DIGIT
answered = model.predict(asked, verbose=0).argmax(axis=-1)
words = [VOCABULARY[token] for token in token_ids[0, :-1]]
for row, answer in zip(asked, answered):
    print(" ".join(words), "|", VOCABULARY[row[-1]], "->", answer)

# The weights of the last position: the layer once more, on what the model feeds it.
before_attention = keras.Model(model.inputs, model.get_layer("hidden").output)
hidden = before_attention.predict(asked, verbose=0)
layer = model.get_layer("attention")
_, weights = layer(hidden, return_attention_scores=True, use_causal_mask=True)
last = ops.convert_to_numpy(weights)[:, 0, -1, :]  # (questions, S)

figure, axis = plt.subplots(figsize=(9, 4.6), layout="constrained")
image = axis.imshow(last, cmap="Blues", vmin=0, vmax=1, aspect="auto")
axis.set_xticks(range(WIDTH), [*words, "?"])
axis.set_yticks(range(MAX_PAIRS), [VOCABULARY[row[-1]] for row in asked])
axis.set(xlabel="what is attended to (? is the question itself)", ylabel="letter asked")
axis.set_title("Weights of the last position, one row for each question")
figure.colorbar(image, label="weight")
figure.savefig(PICTURES / "01_weights.png", dpi=120)

found = last[np.arange(MAX_PAIRS), 1 : 2 * MAX_PAIRS : 2]
if not QUICK:
    assert np.array_equal(answered, right)
    assert np.all(last.argmax(axis=-1) == np.arange(1, 2 * MAX_PAIRS, 2))

# %% [markdown]
# In `01_weights.png` see the staircase: in each row the dark square stands on the digit
# right after the letter that was asked.
#
# ## Export and check that it still agrees
#
# A `.keras` file moves between backends. A SavedModel is made by TensorFlow, in a
# process of its own, from that file, whatever trained it; a second process, which knows
# nothing of keras_lm, runs it. (`keras_lm.export` does this for pipelines that take
# strings, with more checks; this model takes numbers.)

# %%
WRITE = """
import sys
import keras, keras_lm.layers
model = keras.saving.load_model(sys.argv[1])
model.export(sys.argv[2], verbose=False)
"""
RUN = """
import sys
import numpy as np, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
(logits,) = serve(tf.constant(np.load(sys.argv[2]))).values()
np.save(sys.argv[3], logits.numpy())
assert not any(name.startswith("keras_lm") for name in sys.modules)
"""


def run(code, *arguments):
    """Runs Python code in a new TensorFlow process."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)


before = model.predict(held_out[0][:200], verbose=0)
with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    model.save(folder / "lookup.keras")
    reloaded = keras.saving.load_model(folder / "lookup.keras")
    after = reloaded.predict(held_out[0][:200], verbose=0)
    np.save(folder / "token_ids.npy", held_out[0][:200])
    run(WRITE, folder / "lookup.keras", folder / "1")
    run(RUN, folder / "1", folder / "token_ids.npy", folder / "logits.npy")
    exported = np.load(folder / "logits.npy")
print(f"largest difference: .keras file {np.abs(after - before).max():.1e}", end=", ")
print(f"SavedModel {np.abs(exported - before).max():.1e}")
used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
memory = max(usage.ru_maxrss for usage in used) / 2**20
processor_s = sum(usage.ru_utime + usage.ru_stime for usage in used)
print(
    f"all of it on {keras.backend.backend()}: {time.perf_counter() - START_S:.0f} s",
    end=", ",
)
print(f"{processor_s:.0f} s of processor time, largest process {memory:.1f} GiB")

assert np.abs(after - before).max() < 1e-5
assert np.abs(exported - before).max() < 1e-4

# %% [markdown]
# ## What to try next
#
# - `MIN_PAIRS = 8`: with one length in training, which model still answers 2 pairs?
# - `HIDDEN_DIM = 256`: the model without `1 / sqrt(d)` starts more saturated.
# - Drop the embedding of the previous token: no position knows its letter any more. One
#   layer cannot find it, two can, with positions (`rotary_wavelength=10_000.0`).
# - `num_heads=4`: look at the weights of each head.
# - `02_language_model.py` stacks this layer into a language model.
